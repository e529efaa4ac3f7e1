//! What of the configuration concerns serial lines.

use std::collections::BTreeMap;
use std::time::Duration;

use fsc_core::bus::Principal;
use fsc_core::transport::Address;
use fsc_transport::serial::LineConfig;

use super::{Config, ConfigError, Line, set};

impl Config {
    /// The serial lines that are to be kept open.
    pub(crate) fn lines(&self) -> Result<Vec<(Address, LineConfig)>, ConfigError> {
        let address = |text: &String| {
            let place = text.parse().ok().and_then(|address: Address| address.place());
            place.filter(|place| place.scheme() == "serial").ok_or_else(|| ConfigError::Line(text.clone()))
        };
        let mut lines = BTreeMap::new();
        let addresses = self.nodes.iter().filter_map(|node| node.address.as_ref());
        for text in addresses.filter(|address| address.trim_start().starts_with("serial:")) {
            lines.insert(address(text)?, LineConfig::default());
        }
        for Line { address: text, client, patience_seconds } in &self.lines {
            let principal = client.as_deref().map(Principal::new);
            let mut line = LineConfig { principal, ..LineConfig::default() };
            set(&mut line.patience, patience_seconds.map(Duration::from_secs));
            lines.insert(address(text)?, line);
        }
        Ok(lines.into_iter().collect())
    }
}
