//! Policy: what the operator of a node allows.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::grant::Rights;
use super::{Failure, Principal};
use crate::object::ObjectError;
use crate::protocol::Setup;
use crate::registry::Description;
use crate::value::Value;

/// What the operator of a node allows. The defaults allow everything but a dealer.
pub trait Policy: Send + Sync + 'static {
    /// Whether `principal` may use a top-level object, and what it may do with whatever it gets from there.
    fn may_use(&self, principal: &Principal, description: &Description) -> Result<Rights, Refusal> {
        let _ = (principal, description);
        Ok(Rights::ALL)
    }

    /// Whether `principal` may compute a function together with others, `parties` in all.
    fn may_compute(&self, principal: &Principal, function: &str, parties: usize) -> Result<(), Refusal> {
        let _ = (principal, function, parties);
        Ok(())
    }

    /// Whether `principal` may compute where what it asks for needs this.
    fn may_rely_on(&self, principal: &Principal, setup: Setup) -> Result<(), Refusal> {
        let _ = principal;
        match setup {
            Setup::PairwiseKeys => Ok(()),
            Setup::TrustedDealer => Err(Refusal::new(
                "this node does not compute with a dealer, who could learn everybody's data; its operator can allow it: policy.dealer",
            )),
        }
    }
}

/// Allows everything but a dealer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Open;

impl Policy for Open {}

/// A policy as it stands in a configuration file. What is not mentioned is allowed, but for a dealer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// No function over fewer parties than this, this node included.
    pub minimum_parties: Option<usize>,
    /// No functions but these.
    pub functions: Option<Vec<String>>,
    /// Whether clients may name a dealer, who could learn everybody's data.
    pub dealer: bool,
    /// No top-level objects whose descriptions contain all entries of one of these.
    pub denied: Vec<BTreeMap<String, String>>,
}

impl Policy for Rules {
    fn may_use(&self, _: &Principal, description: &Description) -> Result<Rights, Refusal> {
        let matches = |denied: &BTreeMap<String, String>| {
            denied.iter().all(|(key, text)| matches!(description.get(key), Some(Value::Text(is)) if is == text))
        };
        if self.denied.iter().any(matches) {
            return Err(Refusal::new("the operator of this node does not allow the use of this object"));
        }
        Ok(Rights::ALL)
    }

    fn may_compute(&self, _: &Principal, function: &str, parties: usize) -> Result<(), Refusal> {
        if let Some(allowed) = &self.functions
            && !allowed.iter().any(|name| name == function)
        {
            return Err(Refusal::new(format!("this node computes nothing but {}", allowed.join(", "))));
        }
        match self.minimum_parties {
            Some(minimum) if parties < minimum => {
                Err(Refusal::new(format!("this node computes nothing over fewer than {minimum} parties")))
            }
            _ => Ok(()),
        }
    }

    fn may_rely_on(&self, principal: &Principal, setup: Setup) -> Result<(), Refusal> {
        if self.dealer { Ok(()) } else { Open.may_rely_on(principal, setup) }
    }
}

/// The policy does not allow it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("refused: {rule}")]
pub struct Refusal {
    rule: String,
}

impl Refusal {
    /// A refusal by `rule`, in words that a client understands.
    pub fn new(rule: impl Into<String>) -> Self {
        Self { rule: rule.into() }
    }
}

impl From<Refusal> for ObjectError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused { why: refusal.rule }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        ObjectError::from(refusal).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(json: &str) -> Rules {
        serde_json::from_str(json).expect("rules")
    }

    fn somebody() -> Principal {
        Principal::new("somebody")
    }

    #[test]
    fn no_rules_allow_every_function_and_object() {
        assert_eq!(rules("{}").may_compute(&somebody(), "SecureSum", 2), Ok(()));
        assert_eq!(rules("{}").may_use(&somebody(), &Description::default()), Ok(Rights::ALL));
    }

    #[test]
    fn too_few_parties_are_refused_with_the_rule() {
        let rules = rules(r#"{"minimum_parties": 3}"#);
        assert_eq!(rules.may_compute(&somebody(), "SecureSum", 3), Ok(()));
        let failure = Failure::from(rules.may_compute(&somebody(), "SecureSum", 2).expect_err("two parties"));
        assert_eq!(failure, Failure::new(403, "refused: this node computes nothing over fewer than 3 parties"));
    }

    #[test]
    fn functions_that_are_not_listed_are_refused() {
        let rules = rules(r#"{"functions": ["SecureSum", "SecureMedian"]}"#);
        assert_eq!(rules.may_compute(&somebody(), "SecureMedian", 2), Ok(()));
        let refusal = rules.may_compute(&somebody(), "SecureProduct", 2).expect_err("not listed");
        assert_eq!(refusal.to_string(), "refused: this node computes nothing but SecureSum, SecureMedian");
    }

    #[test]
    fn a_denied_description_must_match_in_all_its_entries() {
        let rules = rules(r#"{"denied": [{"plugin": "Sync", "microservice": "Barrier"}]}"#);
        let barrier = Description::new([("plugin", "Sync"), ("microservice", "Barrier"), ("version", "0.6.0")]);
        let broadcast = Description::new([("plugin", "Sync"), ("microservice", "Broadcast")]);
        assert!(rules.may_use(&somebody(), &barrier).is_err());
        assert_eq!(rules.may_use(&somebody(), &broadcast), Ok(Rights::ALL));
    }

    #[test]
    fn a_dealer_is_refused_unless_the_rules_allow_one() {
        let needs = |policy: &dyn Policy, setup| policy.may_rely_on(&somebody(), setup);
        for policy in [&Open as &dyn Policy, &rules("{}"), &rules(r#"{"dealer": false}"#)] {
            assert_eq!(needs(policy, Setup::PairwiseKeys), Ok(()));
            let failure = Failure::from(needs(policy, Setup::TrustedDealer).expect_err("a dealer"));
            assert_eq!(failure.code, 403);
            assert!(failure.message.contains("policy.dealer"), "{}", failure.message);
        }
        assert_eq!(needs(&rules(r#"{"dealer": true}"#), Setup::TrustedDealer), Ok(()));
    }

    #[test]
    fn a_misspelt_rule_is_an_error() {
        assert!(serde_json::from_str::<Rules>(r#"{"minimum_partys": 3}"#).is_err());
    }
}
