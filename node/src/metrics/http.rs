//! The one page.

use axum::{Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use tokio::{net::TcpListener, sync::watch};

use crate::grpc::Context;

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

async fn page(State(context): State<Context>) -> impl IntoResponse {
    let Ok(status) = context.engine.ask(|engine, now| engine.status(now)).await else {
        return (StatusCode::SERVICE_UNAVAILABLE, [("content-type", PLAIN)], String::new());
    };
    let states = context.peers.states();
    let peers = states.iter().map(|(society, state)| (society.to_string(), state));
    match context.metrics.text(&status, peers) {
        Ok(text) => (StatusCode::OK, [("content-type", OPENMETRICS)], text),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, [("content-type", PLAIN)], String::new()),
    }
}

const PLAIN: &str = "text/plain; charset=utf-8";
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
