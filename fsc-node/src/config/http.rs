//! What of the configuration concerns HTTP.

use std::net::SocketAddr;

use fsc_core::bus::Principal;
use fsc_transport::http::{Access, HeaderValue, Origins, ServerConfig, Tokens};

use super::{Config, ConfigError, set};

impl Config {
    /// The server's side, listening on `listen` if that is given; none, if the node is reached by other ways only, of which
    /// `is_reached` says whether there are any beside the configuration's own.
    pub(crate) fn server(
        &self,
        listen: Option<SocketAddr>,
        is_reached: bool,
    ) -> Result<Option<ServerConfig>, ConfigError> {
        let Some(listen) = listen.or(self.listen) else {
            return if is_reached || self.has_other_ways() { Ok(None) } else { Err(ConfigError::NoAddress) };
        };
        if self.clients.is_empty() && !listen.ip().is_loopback() {
            return Err(ConfigError::OpenToAll(listen));
        }
        let mut config = ServerConfig { listen, ..ServerConfig::default() };
        if !self.clients.is_empty() {
            config.access = Access::Tokens(self.tokens()?);
        }
        if let Some(origins) = &self.cors.origins {
            let origin = |text: &String| HeaderValue::from_str(text).map_err(|_| ConfigError::Origin(text.clone()));
            config.origins = Origins::Only(origins.iter().map(origin).collect::<Result<_, _>>()?);
        }
        set(&mut config.limits.body, self.limits.body_bytes);
        set(&mut config.limits.bodies, self.limits.bodies_bytes);
        set(&mut config.limits.connections, self.limits.connections);
        Ok(Some(config))
    }

    fn tokens(&self) -> Result<Tokens, ConfigError> {
        self.clients.iter().try_fold(Tokens::new(), |tokens, client| {
            if client.token.len() < 16 {
                return Err(ConfigError::ShortToken(client.name.clone()));
            }
            Ok(tokens.with(&client.token, Principal::new(&client.name)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::parse;
    use super::*;

    #[test]
    fn a_node_that_anybody_could_use_does_not_start() {
        let everywhere = Some("0.0.0.0:80".parse().unwrap());
        assert!(matches!(parse("").server(everywhere, false), Err(ConfigError::OpenToAll(_))));
        let named = parse("[[clients]]\nname = \"a\"\ntoken = \"0123456789abcdef\"");
        assert!(named.server(everywhere, false).is_ok());
    }

    #[test]
    fn short_tokens_are_refused() {
        let config = parse("[[clients]]\nname = \"a\"\ntoken = \"secret\"");
        let error = config.server(Some("127.0.0.1:0".parse().unwrap()), false).unwrap_err();
        assert!(!error.to_string().contains("secret"));
    }
}
