//! The remote API: TLS 1.3 to the one key that was given, then the token.

use std::sync::Arc;

use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::{
    service::interceptor::InterceptedService,
    transport::{Endpoint, Uri},
};
use tutti_core::roster::TlsSpki;

use super::{Bearer, CONNECT_MAX, ConnectError, Connection, unreachable};
use crate::peers::tls;

pub(super) async fn connect(
    address: &str,
    token: &str,
    tls_key: &TlsSpki,
) -> Result<Connection, ConnectError> {
    let bearer = Bearer::of(token)?;
    let host = address.strip_prefix("https://").unwrap_or(address).trim_end_matches('/');
    let wrong = || ConnectError::Address(address.into());
    host.rsplit_once(':').ok_or_else(wrong)?;
    let config = tls::client_of_one(tls_key).map_err(|error| unreachable(&host, &error))?;
    let connector = TlsConnector::from(Arc::new(config));
    let target = host.to_string();
    let channel = Endpoint::from_static("http://node.remote")
        .connect_timeout(CONNECT_MAX)
        .connect_with_connector(tower::service_fn(move |_: Uri| {
            let (connector, target) = (connector.clone(), target.clone());
            async move {
                let stream = TcpStream::connect(target).await?;
                stream.set_nodelay(true)?;
                connector.connect(tls::nameless(), stream).await.map(TokioIo::new)
            }
        }))
        .await
        .map_err(|error| unreachable(&host, &error))?;
    Ok(InterceptedService::new(channel, bearer))
}
