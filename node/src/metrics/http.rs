//! The one page. Whoever asks for OpenMetrics, as Prometheus does, gets it; everyone else the older
//! text format, which says the same.
//!
//! Invariant: a connection is one question and its answer, and has only so much time; of those that wait,
//! the oldest gives way.

use std::time::Duration;

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header::ACCEPT},
    response::IntoResponse,
    routing::get,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::timeout,
};

use super::classic::classic;
use crate::{
    grpc::Context,
    local::Actor,
    peers::{pending::Pending, wire::Wire},
};

/// From the first packet to the end of the answer. Prometheus waits as long.
const ANSWERED_MAX: Duration = Duration::from_secs(10);

/// Serves `GET /metrics` until `stop` says so.
pub(crate) async fn serve(listener: TcpListener, context: Context, stop: watch::Receiver<bool>) {
    let router = Router::new().route("/metrics", get(page)).with_state(context);
    listen(listener, router, ANSWERED_MAX, stop).await;
}

async fn listen(
    listener: TcpListener,
    router: Router,
    answered_max: Duration,
    mut stop: watch::Receiver<bool>,
) {
    let pending = Pending::default();
    let mut answers = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        while answers.try_join_next().is_some() {}
        match accepted {
            Ok((stream, _)) => {
                let answer = answer(stream, router.clone(), pending.clone(), answered_max);
                answers.spawn(timeout(answered_max, answer));
            }
            // Out of file descriptors, or gone before it was taken.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// Whatever comes to nothing concerns the client alone.
async fn answer(stream: TcpStream, router: Router, pending: Pending, answered_max: Duration) {
    let (wire, grip) = Wire::new(stream, answered_max);
    let _underway = pending.begin(&grip);
    let mut http = Builder::new(TokioExecutor::new()).http1_only();
    http.http1().keep_alive(false);
    let _ = http.serve_connection(TokioIo::new(wire), TowerToHyperService::new(router)).await;
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Instant;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn who_asks_nothing_is_cut_off_in_time_while_others_are_answered() {
        const DEADLINE: Duration = Duration::from_millis(600);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let router = Router::new().route("/metrics", get(|| async { "a page" }));
        let served = tokio::spawn(listen(listener, router, DEADLINE, stopped));
        let mut stalls = JoinSet::new();
        // Nothing; the beginning of a question; byte after byte of one.
        for kind in 0..3 {
            stalls.spawn(async move {
                let begun = Instant::now();
                let (mut reader, mut writer) =
                    TcpStream::connect(address).await.unwrap().into_split();
                let asked = tokio::spawn(async move {
                    if kind == 1 {
                        writer.write_all(b"GET /metrics HTTP/1.1\r\nhost:").await.unwrap();
                    }
                    let question = if kind == 2 { "GET /metrics HTTP/1.1\r\nhost: " } else { "" };
                    for byte in question.bytes().chain([b'x'; 1000]) {
                        if kind == 2 && writer.write_all(&[byte]).await.is_err() {
                            break;
                        }
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                });
                let _ = reader.read_to_end(&mut Vec::new()).await;
                asked.abort();
                begun.elapsed()
            });
        }
        let mut answered = 0;
        let begun = Instant::now();
        while !stalls.is_empty() {
            let mut page = TcpStream::connect(address).await.unwrap();
            page.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
            let mut text = String::new();
            // It ends by itself.
            page.read_to_string(&mut text).await.unwrap();
            assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("a page"), "{text}");
            answered += 1;
            while let Some(lasted) = stalls.try_join_next() {
                let lasted = lasted.unwrap();
                assert!(lasted >= DEADLINE, "it was closed at once: {lasted:?}");
            }
            assert!(begun.elapsed() < 10 * DEADLINE, "{} are not closed", stalls.len());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(answered > 5, "{answered}");
        stop.send(true).unwrap();
        served.await.unwrap();
    }
}
