//! Routes of ours: every route made here carries [`PROTOCOL`], and no other is ever changed.

use std::fmt;
use std::net::IpAddr;

use ipnetwork::IpNetwork;
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteProtocol, RouteScope,
    RouteType,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::dump::dump;
use crate::error::{During as _, Error, Result, unless_absent};
use crate::netlink::Netlink;

/// The number that says who made a route. It is in no list of known ones.
pub const PROTOCOL: u8 = 0x57;

/// `RT_TABLE_LOCAL` of the kernel's `linux/rtnetlink.h`: the table of the host's own addresses.
const LOCAL: u8 = 255;

/// A route of the main table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Route {
    /// Where it leads.
    pub destination: IpNetwork,
    /// The next hop, which is taken to be on the link; none when the destination itself is.
    pub via: Option<IpAddr>,
    /// Index of the link it goes out by.
    pub link: u32,
    /// The source that local senders get, where they choose none.
    pub source: Option<IpAddr>,
}

impl Route {
    /// A route to what is on a link.
    #[must_use]
    pub const fn on_link(destination: IpNetwork, link: u32) -> Self {
        Self { destination, via: None, link, source: None }
    }

    /// A route by a next hop.
    #[must_use]
    pub const fn through(destination: IpNetwork, via: IpAddr, link: u32) -> Self {
        Self { destination, via: Some(via), link, source: None }
    }

    /// The same with a preferred source.
    #[must_use]
    pub const fn from(self, source: IpAddr) -> Self {
        Self { source: Some(source), ..self }
    }
}

/// Adds a route, or replaces ours to the same destination.
///
/// # Errors
/// When a route that is not ours leads to the same destination, which is left as it is; else the
/// kernel's.
pub async fn ensure(netlink: &Netlink, route: &Route) -> Result<()> {
    match add(netlink, route, Existing::Refuse).await {
        Err(error) if error.is_taken() => {}
        other => return other,
    }
    let ours = list(netlink).await?;
    if !ours.iter().any(|ours| ours.destination == route.destination) {
        let reason = "another program has a route to the same destination: remove that one";
        return Err(Error::new("add", route, reason));
    }
    add(netlink, route, Existing::Replace).await
}

/// Deletes the route of ours to the same destination, by the same link; says whether it was there.
///
/// # Errors
/// The kernel's, unless it says that there is none.
pub async fn delete(netlink: &Netlink, route: &Route) -> Result<bool> {
    let answer = netlink.0.route().del(message(route)).execute().await;
    unless_absent(answer.during("delete", route))
}

/// Every route of ours in the main table, of both families.
///
/// # Errors
/// The kernel's.
pub async fn list(netlink: &Netlink) -> Result<Vec<Route>> {
    Ok(Routes::read(netlink).await?.ours)
}

/// The routes of both families.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Routes {
    /// Those of ours in the main table.
    pub ours: Vec<Route>,
    /// Where those of anyone lead, in all tables but that of the host's own addresses.
    pub ways: Vec<Way>,
}

/// A destination and a link that a route of anyone leads to it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Way {
    /// Where it leads.
    pub destination: IpNetwork,
    /// The route's metric: of several to one destination the lowest is taken.
    pub metric: u32,
    /// Index of the link.
    pub link: u32,
}

impl Routes {
    /// Reads them.
    ///
    /// # Errors
    /// The kernel's.
    pub async fn read(netlink: &Netlink) -> Result<Self> {
        let question = RouteNetlinkMessage::GetRoute(RouteMessage::default());
        let answers = dump(netlink, question).await.during("list", "routes")?;
        let mut routes = Self::default();
        for answer in answers {
            let RouteNetlinkMessage::NewRoute(message) = answer else { continue };
            routes.ours.extend(is_ours(&message).then(|| parse(&message)).flatten());
            routes.ways.extend(ways(&message));
        }
        Ok(routes)
    }
}

fn ways(message: &RouteMessage) -> Vec<Way> {
    if message.header.kind != RouteType::Unicast || message.header.table == LOCAL {
        return Vec::new();
    }
    let Some(destination) = destination(message) else { return Vec::new() };
    let metric = message.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Priority(metric) => Some(*metric),
        _ => None,
    });
    let way = |link| Way { destination, metric: metric.unwrap_or_default(), link };
    let links = message.attributes.iter().flat_map(|attribute| match attribute {
        RouteAttribute::Oif(index) => vec![*index],
        RouteAttribute::MultiPath(hops) => hops.iter().map(|hop| hop.interface_index).collect(),
        _ => Vec::new(),
    });
    links.map(way).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Existing {
    Refuse,
    Replace,
}

async fn add(netlink: &Netlink, route: &Route, existing: Existing) -> Result<()> {
    let request = netlink.0.route().add(message(route));
    let request = match existing {
        Existing::Refuse => request,
        Existing::Replace => request.replace(),
    };
    request.execute().await.during("add", route)
}

fn message(route: &Route) -> RouteMessage {
    let Route { destination, via, link, source } = *route;
    let mut message = RouteMessage::default();
    let header = &mut message.header;
    header.address_family = match destination {
        IpNetwork::V4(_) => AddressFamily::Inet,
        IpNetwork::V6(_) => AddressFamily::Inet6,
    };
    header.destination_prefix_length = destination.prefix();
    header.table = RouteHeader::RT_TABLE_MAIN;
    header.protocol = RouteProtocol::Other(PROTOCOL);
    header.kind = RouteType::Unicast;
    header.scope = RouteScope::Link;
    message.attributes.push(RouteAttribute::Destination(destination.network().into()));
    message.attributes.push(RouteAttribute::Oif(link));
    if let Some(via) = via {
        message.header.scope = RouteScope::Universe;
        message.header.flags.insert(RouteFlags::Onlink);
        message.attributes.push(RouteAttribute::Gateway(via.into()));
    }
    if let Some(source) = source {
        message.attributes.push(RouteAttribute::PrefSource(source.into()));
    }
    message
}

pub(crate) fn is_ours(message: &RouteMessage) -> bool {
    message.header.protocol == RouteProtocol::Other(PROTOCOL)
        && message.header.table == RouteHeader::RT_TABLE_MAIN
}

fn destination(message: &RouteMessage) -> Option<IpNetwork> {
    let unspecified: IpAddr = match message.header.address_family {
        AddressFamily::Inet => [0; 4].into(),
        AddressFamily::Inet6 => [0; 16].into(),
        _ => return None,
    };
    let named = message.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Destination(address) => Some(ip(address)),
        _ => None,
    });
    IpNetwork::new(named.unwrap_or(Some(unspecified))?, message.header.destination_prefix_length)
        .ok()
}

fn parse(message: &RouteMessage) -> Option<Route> {
    let (mut via, mut link, mut source) = (None, None, None);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Gateway(address) => via = ip(address),
            RouteAttribute::PrefSource(address) => source = ip(address),
            RouteAttribute::Oif(index) => link = Some(*index),
            _ => {}
        }
    }
    Some(Route { destination: destination(message)?, via, link: link?, source })
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(ip) => Some((*ip).into()),
        RouteAddress::Inet6(ip) => Some((*ip).into()),
        _ => None,
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "route {}", self.destination)?;
        if let Some(via) = self.via {
            write!(f, " via {via}")?;
        }
        write!(f, " by link {}", self.link)
    }
}

#[cfg(test)]
mod tests {
    use rtnetlink::packet_route::route::RouteNextHop;

    use super::*;

    #[test]
    fn a_route_survives_its_message() {
        let rows = [
            Route::on_link("10.1.1.2/32".parse().unwrap(), 7),
            Route::on_link("fd01::2/128".parse().unwrap(), 7).from("fd00::1".parse().unwrap()),
            Route::through("10.1.2.0/24".parse().unwrap(), "192.0.2.2".parse().unwrap(), 3),
            Route::through("::/0".parse().unwrap(), "fe80::1".parse().unwrap(), 3),
        ];
        for route in rows {
            let message = message(&route);
            assert!(is_ours(&message));
            assert_eq!(parse(&message), Some(route));
            let Route { destination, link, .. } = route;
            assert_eq!(ways(&message), [Way { destination, metric: 0, link }]);
        }
    }

    #[test]
    fn a_route_by_several_links_leads_by_each_and_one_that_leads_nowhere_by_none() {
        let destination = "10.1.2.0/24".parse().unwrap();
        let mut route = message(&Route::on_link(destination, 3));
        let hop = |index| {
            let mut hop = RouteNextHop::default();
            hop.interface_index = index;
            hop
        };
        route.attributes.retain(|attribute| !matches!(attribute, RouteAttribute::Oif(_)));
        route.attributes.push(RouteAttribute::MultiPath(vec![hop(4), hop(5)]));
        route.attributes.push(RouteAttribute::Priority(7));
        assert_eq!(ways(&route), [4, 5].map(|link| Way { destination, metric: 7, link }));
        route.header.kind = RouteType::BlackHole;
        assert_eq!(ways(&route), []);
    }
}
