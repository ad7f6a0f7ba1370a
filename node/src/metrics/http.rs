//! The one page. Whoever asks for OpenMetrics, as Prometheus does, gets it; everyone else the older
//! text format, which says the same.

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header::ACCEPT},
    response::IntoResponse,
    routing::get,
};
use tokio::{net::TcpListener, sync::watch};

use super::classic::classic;
use crate::{grpc::Context, local::Actor};

/// Serves `GET /metrics` until `stop` says so.
pub(crate) async fn serve(
    listener: TcpListener,
    context: Context,
    mut stop: watch::Receiver<bool>,
) {
    let router = Router::new().route("/metrics", get(page)).with_state(context);
    let stopped = async move {
        let _ = stop.wait_for(|stop| *stop).await;
    };
    if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stopped).await {
        tracing::error!(%error, "the metrics page ended");
    }
}

async fn page(State(context): State<Context>, headers: HeaderMap) -> impl IntoResponse {
    let Ok(Ok(status)) = context.engine.ask(|engine, now| engine.status(&Actor::node(), now)).await
    else {
        return (StatusCode::SERVICE_UNAVAILABLE, [("content-type", PLAIN)], String::new());
    };
    let states = context.peers.states();
    let peers = states.iter().map(|(society, state)| (society.to_string(), state));
    match context.metrics.text(&status, peers) {
        Ok(text) if wants_openmetrics(&headers) => {
            (StatusCode::OK, [("content-type", OPENMETRICS)], text)
        }
        Ok(text) => (StatusCode::OK, [("content-type", CLASSIC)], classic(&text)),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, [("content-type", PLAIN)], String::new()),
    }
}

fn wants_openmetrics(headers: &HeaderMap) -> bool {
    let mut accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.any(|value| value.contains("application/openmetrics-text"))
}

const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
