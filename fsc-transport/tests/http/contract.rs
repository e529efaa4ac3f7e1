//! The server against `api/openapi.yaml`.

use fsc_core::value::Value;
use fsc_transport::http::{OPENAPI, ROUTES};
use yaml_rust2::{Yaml, YamlLoader};

use crate::setting::{Heard, Running, request, with_headers};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

fn contract() -> Yaml {
    YamlLoader::load_from_str(OPENAPI).unwrap().remove(0)
}

/// What `node` refers to, if it is a reference; else itself.
fn resolved<'a>(contract: &'a Yaml, node: &'a Yaml) -> &'a Yaml {
    match node["$ref"].as_str() {
        Some(path) => {
            let found = path.strip_prefix("#/").unwrap().split('/').fold(contract, |at, key| &at[key]);
            assert!(!found.is_badvalue(), "{path} leads nowhere");
            resolved(contract, found)
        }
        None => node,
    }
}

/// Every path with each of its methods.
fn operations(contract: &Yaml) -> Vec<(String, &'static str, &Yaml)> {
    let paths = contract["paths"].as_hash().unwrap().iter();
    paths
        .flat_map(|(path, item)| {
            METHODS.into_iter().map(move |method| (path.as_str().unwrap().to_owned(), method, &item[method]))
        })
        .filter(|(_, _, operation)| !operation.is_badvalue())
        .collect()
}

/// Asserts that `value` has what `schema` requires.
fn assert_fits(contract: &Yaml, schema: &Yaml, value: &Value, what: &str) {
    let schema = resolved(contract, schema);
    if let Some(choices) = schema["oneOf"].as_vec() {
        let fitting = choices.iter().filter(|choice| fits(contract, choice, value)).count();
        assert_eq!(fitting, 1, "{what}: {value:?} must fit one of the choices");
    } else {
        assert!(fits(contract, schema, value), "{what}: {value:?} does not fit");
    }
}

fn fits(contract: &Yaml, schema: &Yaml, value: &Value) -> bool {
    let schema = resolved(contract, schema);
    let required = schema["required"].as_vec().map(Vec::as_slice).unwrap_or_default();
    let has_required = required.iter().all(|key| value.entry(key.as_str().unwrap()).is_some());
    let constant = schema["properties"]["type"]["const"].as_str();
    has_required && constant.is_none_or(|constant| value.entry("type").and_then(Value::as_text) == Some(constant))
}

fn assert_answer_is_listed(contract: &Yaml, operation: &Yaml, heard: &Heard, what: &str) {
    let responses = &operation["responses"];
    let status = heard.status.to_string();
    let response = match &responses[status.as_str()] {
        Yaml::BadValue if heard.status >= 400 => &responses["default"],
        listed => listed,
    };
    let response = resolved(contract, response);
    let media = heard.headers["content-type"].split(';').next().unwrap();
    let content = &response["content"][media];
    assert!(!content.is_badvalue(), "{what}: {status} with {media} is not in the contract");
    if media == "application/json" {
        assert_fits(contract, &content["schema"], &heard.json(), what);
    }
}

#[test]
fn every_route_is_in_the_contract_and_nothing_else() {
    let contract = contract();
    let mut listed: Vec<_> = operations(&contract).iter().map(|(path, method, _)| format!("{method} {path}")).collect();
    let mut routes: Vec<_> =
        ROUTES.iter().map(|route| format!("{} {}", route.method.to_lowercase(), route.path)).collect();
    listed.sort();
    routes.sort();
    assert_eq!(routes, listed);
}

#[tokio::test]
async fn every_operation_answers_as_the_contract_says() {
    let server = Running::start().await;
    let contract = contract();
    for (path, method, operation) in operations(&contract) {
        let created = server.ask(&request("POST", "/representations", r#"{"kwargs":{"protocol":"Echo"}}"#)).await;
        let stored = server.ask(&request("PUT", "/representations", r#"{"args":[1]}"#)).await.text("uuid");
        let handle = if method == "patch" || path.contains("{name}") { created.text("uuid") } else { stored };
        let real = path.replace("{uuid}", &handle).replace("{name}", "f");
        let body = match path.as_str() {
            "/chain" => r#"{"chain":[{"upload":1}]}"#,
            "/mail" => "",
            _ => r#"{"args":[1],"kwargs":{"protocol":"Echo"}}"#,
        };
        let method = method.to_uppercase();
        let what = format!("{method} {path}");
        let good = server.ask(&with_headers(&method, &real, "", body)).await;
        assert_eq!(good.status, 200, "{what}: {}", String::from_utf8_lossy(&good.body));
        assert_answer_is_listed(&contract, operation, &good, &what);
        let too_long = server.ask(&with_headers(&method, &format!("{real}?{}", "x".repeat(9000)), "", "")).await;
        assert_eq!(too_long.status, 414, "{what}");
        assert_answer_is_listed(&contract, operation, &too_long, &what);
    }
}

#[test]
fn error_table_lists_what_the_server_says() {
    let contract = contract();
    let table = contract["info"]["description"].as_str().unwrap();
    for status in
        [400, 401, 403, 404, 405, 406, 408, 409, 410, 412, 413, 414, 415, 421, 425, 429, 431, 500, 502, 503, 504]
    {
        assert!(table.contains(&format!("| {status} |")), "{status}");
    }
}
