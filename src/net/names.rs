//! Names of hosts: looked up once, and what it means that they cannot be.

use std::net::{SocketAddr, ToSocketAddrs as _};

use ureq::Agent;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

use crate::model::text::visible;

/// Why a name has no address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAddress {
    /// There is no such name: that is an answer.
    NoSuchName(String),
    /// Whoever knows the names could not be asked, or did not know.
    NotAsked(String),
}

/// The addresses of a host, which may be one itself. This can take as long as the system's resolver
/// likes.
///
/// # Errors
/// There is none.
pub fn look_up(host: &str, port: u16) -> Result<Vec<SocketAddr>, NoAddress> {
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    let found = (bare.unwrap_or(host), port).to_socket_addrs();
    let shown = visible(host);
    match found.map(Iterator::collect::<Vec<_>>) {
        Ok(all) if !all.is_empty() => Ok(all),
        Ok(_) => Err(NoAddress::NoSuchName(format!("{shown} has no address"))),
        Err(e) if is_no_such_name(&e.to_string()) => {
            Err(NoAddress::NoSuchName(format!("there is no name {shown}")))
        }
        Err(e) => {
            let text = e.to_string();
            let cause = text.rsplit(": ").next().unwrap_or_default();
            let cause = visible(cause);
            Err(NoAddress::NotAsked(format!("looking up {shown}: {cause}")))
        }
    }
}

/// The standard library has no number for it: these are the words of the C libraries, which nobody
/// here has translated.
fn is_no_such_name(error: &str) -> bool {
    [
        "Name or service not known",
        "No address associated with hostname",
        "Name does not resolve",
        "Name has no usable address",
    ]
    .iter()
    .any(|words| error.contains(words))
}

/// One who asks at these addresses whatever the URL's host is.
pub(super) fn agent_at(config: Config, addresses: &[SocketAddr]) -> Agent {
    let known = Known(addresses.to_vec());
    Agent::with_parts(config, DefaultConnector::default(), known)
}

#[derive(Debug)]
struct Known(Vec<SocketAddr>);

impl Resolver for Known {
    fn resolve(
        &self,
        _: &Uri,
        _: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut all = self.empty();
        for address in self.0.iter().take(MOST) {
            all.push(*address);
        }
        match all.is_empty() {
            true => Err(ureq::Error::HostNotFound),
            false => Ok(all),
        }
    }
}

/// The library has no room for more.
const MOST: usize = 16;
