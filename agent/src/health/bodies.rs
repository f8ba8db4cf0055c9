//! The bodies of answers, to the byte as kube-proxy 1.36 writes them.

use std::collections::BTreeMap;

use dataplane_common::abi::Family;
use http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::ProxyState;
use crate::http::Reply;
use crate::metrics::family_label;
use crate::model::Name;

/// Go's zero time, in seconds since 1970.
const ZERO_TIME: i64 = -62_135_596_800;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Proxy {
    last_updated: Timestamp,
    current_time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    node_eligible: Option<bool>,
    healthy: bool,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    status: BTreeMap<&'static str, ProxyFamily>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProxyFamily {
    last_updated: Timestamp,
    healthy: bool,
}

/// The answer of `/livez`, or, with whether the node is to keep its traffic, of `/healthz`. Who is
/// well was updated just now, even if nothing was to do: clients from before there was more to read
/// than this time look whether it is recent.
pub(super) fn proxy(state: &ProxyState, node_eligible: Option<bool>, now: Timestamp) -> Reply {
    let ProxyState { is_healthy, updated, families } = state;
    let status = status(*is_healthy && node_eligible.unwrap_or(true));
    let never = Timestamp::from_second(ZERO_TIME).unwrap_or(Timestamp::MIN);
    let family = |(family, health): (&Family, &super::FamilyHealth)| {
        let (last_updated, healthy) = (health.updated, health.is_healthy);
        (family_label(*family), ProxyFamily { last_updated, healthy })
    };
    let body = Proxy {
        last_updated: if status == StatusCode::OK { now } else { updated.unwrap_or(never) },
        current_time: now,
        node_eligible,
        healthy: *is_healthy,
        status: families.iter().map(family).collect(),
    };
    Reply::json(status, serde_json::to_string(&body).unwrap_or_default())
}

/// The answer to a load balancer's question about one Service.
pub(super) fn service(name: &Name, local: usize, is_proxy_healthy: bool) -> Reply {
    // Objects in files may have any name.
    let [namespace, name] = [&name.namespace, &name.name].map(|text| Value::from(text.as_str()));
    let body = format!(
        "{{\n\t\"service\": {{\n\t\t\"namespace\": {namespace},\n\t\t\"name\": {name}\n\t}},\
         \n\t\"localEndpoints\": {local},\n\t\"serviceProxyHealthy\": {is_proxy_healthy}\n}}"
    );
    Reply::json(status(local != 0 && is_proxy_healthy), body)
        .with("x-load-balancing-endpoint-weight", local.to_string())
}

fn status(is_good: bool) -> StatusCode {
    if is_good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}
