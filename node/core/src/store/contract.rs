//! The conformance suite: the same checks for every store. Called from the tests of each.
