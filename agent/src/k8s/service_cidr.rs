//! ServiceCIDR to [`ServiceCidrSpec`].

use k8s_openapi::api::networking::v1::ServiceCIDR;

use super::Reading;
use super::reading::Findings;
use crate::model::ServiceCidrSpec;

/// Reads a ServiceCIDR.
pub(super) fn from_resource(object: &ServiceCIDR) -> Reading<ServiceCidrSpec> {
    let mut findings = Findings::default();
    let texts = object.spec.iter().flat_map(|spec| spec.cidrs.iter().flatten());
    let networks = texts.filter_map(|text| findings.network("spec.cidrs", text)).collect();
    findings.with(Some(ServiceCidrSpec { networks }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_and_what_is_none_is_named() {
        let yaml = "{apiVersion: networking.k8s.io/v1, kind: ServiceCIDR, metadata: {name: all}, \
            spec: {cidrs: [10.96.0.0/12, 'fd00:96::/112', all]}}";
        let object: ServiceCIDR = serde_saphyr::from_str(yaml).unwrap();
        let Reading { spec, problems } = from_resource(&object);
        let networks = ["10.96.0.0/12", "fd00:96::/112"].map(|text| text.parse().unwrap()).to_vec();
        assert_eq!(spec, Some(ServiceCidrSpec { networks }));
        let problems: Vec<_> = problems.iter().map(|problem| problem.message.as_str()).collect();
        assert_eq!(
            problems,
            ["has spec.cidrs \"all\", which is no network; write it as 192.0.2.0/24"]
        );
    }
}
