//! The token that goes with each request.

use super::ConnectError;
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::Interceptor,
};

/// Adds `authorization: Bearer …`, where there is a token.
#[derive(Clone)]
pub struct Bearer(Option<MetadataValue<Ascii>>);

impl Bearer {
    /// None where the token is empty.
    pub(super) fn of(token: &str) -> Result<Self, ConnectError> {
        match token.trim() {
            "" => Ok(Self(None)),
            token => Self::new(token).ok_or(ConnectError::Token),
        }
    }

    /// `None` where the token cannot stand in a header.
    fn new(token: &str) -> Option<Self> {
        let token = token.trim();
        if token.is_empty() {
            return None;
        }
        let mut value: MetadataValue<Ascii> = format!("Bearer {token}").parse().ok()?;
        // Kept out of HPACK's table and of debug output.
        value.set_sensitive(true);
        Some(Self(Some(value)))
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("authorization", token.clone());
        }
        Ok(request)
    }
}
