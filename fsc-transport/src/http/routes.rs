//! Which path and method mean what.

use http::Method;

/// A path and a method that the server knows.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The path as `api/openapi.yaml` writes it.
    pub path: &'static str,
    /// The method.
    pub method: &'static str,
}

/// Everything that the server knows, beside `OPTIONS` everywhere.
pub const ROUTES: [Route; 11] = [
    Route { path: "/representations", method: "GET" },
    Route { path: "/representations", method: "POST" },
    Route { path: "/representations", method: "PUT" },
    Route { path: "/representation/{uuid}", method: "PATCH" },
    Route { path: "/representation/{uuid}", method: "GET" },
    Route { path: "/representation/{uuid}", method: "DELETE" },
    Route { path: "/representation/{uuid}/{name}", method: "GET" },
    Route { path: "/chain", method: "POST" },
    Route { path: "/mail", method: "POST" },
    Route { path: "/mail/collect", method: "POST" },
    Route { path: "/openapi.yaml", method: "GET" },
];

/// What a path means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    Representations,
    Representation(&'a str),
    Attribute(&'a str, &'a str),
    Chain,
    Mail,
    Collect,
    Contract,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation<'a> {
    List,
    Create,
    Upload,
    Call(&'a str),
    Download(&'a str),
    Release(&'a str),
    Attribute(&'a str, &'a str),
    Chain,
    Mail,
    Collect,
    Contract,
}

impl<'a> Place<'a> {
    /// What `path` means, if anything. Allocates nothing.
    pub(super) fn of(path: &'a str) -> Option<Self> {
        match path {
            "/representations" => Some(Self::Representations),
            "/chain" => Some(Self::Chain),
            "/mail" => Some(Self::Mail),
            "/mail/collect" => Some(Self::Collect),
            "/openapi.yaml" => Some(Self::Contract),
            _ => {
                let rest = path.strip_prefix("/representation/")?;
                match rest.split_once('/') {
                    None if !rest.is_empty() => Some(Self::Representation(rest)),
                    Some((handle, name)) if !handle.is_empty() && !name.is_empty() && !name.contains('/') => {
                        Some(Self::Attribute(handle, name))
                    }
                    _ => None,
                }
            }
        }
    }

    /// What `method` does here, if anything.
    pub(super) fn operation(self, method: &Method) -> Option<Operation<'a>> {
        Some(match (self, method) {
            (Self::Representations, &Method::GET) => Operation::List,
            (Self::Representations, &Method::POST) => Operation::Create,
            (Self::Representations, &Method::PUT) => Operation::Upload,
            (Self::Representation(handle), &Method::PATCH) => Operation::Call(handle),
            (Self::Representation(handle), &Method::GET) => Operation::Download(handle),
            (Self::Representation(handle), &Method::DELETE) => Operation::Release(handle),
            (Self::Attribute(handle, name), &Method::GET) => Operation::Attribute(handle, name),
            (Self::Chain, &Method::POST) => Operation::Chain,
            (Self::Mail, &Method::POST) => Operation::Mail,
            (Self::Collect, &Method::POST) => Operation::Collect,
            (Self::Contract, &Method::GET) => Operation::Contract,
            _ => return None,
        })
    }

    /// The methods that do something here, as the header `Allow` lists them.
    pub(super) fn allow(self) -> &'static str {
        match self {
            Self::Representations => "GET, POST, PUT, OPTIONS",
            Self::Representation(_) => "GET, PATCH, DELETE, OPTIONS",
            Self::Attribute(..) | Self::Contract => "GET, OPTIONS",
            Self::Chain | Self::Mail | Self::Collect => "POST, OPTIONS",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_leads_somewhere() {
        for route in ROUTES {
            let path = route.path.replace("{uuid}", "u").replace("{name}", "n");
            let place = Place::of(&path).unwrap();
            assert!(place.operation(&route.method.parse().unwrap()).is_some(), "{route:?}");
            assert!(place.allow().split(", ").any(|method| method == route.method), "{route:?}");
        }
    }

    #[test]
    fn other_paths_lead_nowhere() {
        for path in ["", "/", "*", "/representation", "/representation/", "/representation//x", "/representation/u/"] {
            assert_eq!(Place::of(path), None, "{path}");
        }
        assert_eq!(Place::of("/representation/u/n/m"), None);
        assert_eq!(Place::of("/representations/"), None);
        assert_eq!(Place::Mail.operation(&Method::GET), None);
    }
}
