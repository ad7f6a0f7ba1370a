//! Dialling one member, for as long as the node runs.
//!
//! Every member with endpoints is dialled while there is no link with it. The pause between two
//! attempts doubles up to a minute and is random, so that a federation that comes back together
//! does not knock together.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use hyper_util::rt::TokioIo;
use rand_core::{OsRng, RngCore as _};
use tokio::{
    net::TcpStream,
    sync::{mpsc, watch},
    time::{sleep, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Code, Status, Streaming,
    transport::{Channel, Endpoint, Uri},
};
use tutti_core::{limits::FRAME_BYTES_MAX, roster::TlsSpki, society::Society};
use tutti_proto::v1::{self, federation_client::FederationClient};

use super::{
    limits::{
        BACKOFF_MAX, BACKOFF_MIN, FIRST_FRAME_MAX, HANDSHAKE_MAX, HEADER_BYTES_MAX,
        KEEPALIVE_EVERY, KEEPALIVE_MAX, RESETS_LOCAL_MAX, SOUND_AFTER, WINDOW_BYTES,
    },
    link::{self, Context, Ends, reason},
    table::NewLink,
    tls::{MemberTls, nameless},
    wire::{Grip, Wire},
};

/// How long the society with the lower code leaves the other one to dial first.
const COURTESY: Duration = Duration::from_millis(150);

/// Whom to dial.
pub(super) struct Target {
    pub(super) own: Society,
    pub(super) society: Society,
    pub(super) endpoints: Vec<String>,
    pub(super) key: TlsSpki,
}

/// Dials until it is `over`. A link that is up then is ended by others, and this with it.
pub(super) async fn run(
    target: Target,
    tls: Arc<MemberTls>,
    context: Context,
    mut over: watch::Receiver<bool>,
) {
    let mut failures = 0;
    loop {
        tokio::select! {
            () = turn(&target, &context) => {}
            _ = over.wait_for(|over| *over) => return,
        }
        let started = Instant::now();
        match attempt(&target, &tls, &context).await {
            Ok(()) if started.elapsed() >= SOUND_AFTER => failures = 0,
            Ok(()) => failures += 1,
            Err(why) => {
                failures += 1;
                tracing::debug!(peer = %target.society, why, "not reached");
                context.table.failed(target.society, &why);
            }
        }
        tokio::select! {
            () = sleep(jittered(backoff(failures))) => {}
            _ = over.wait_for(|over| *over) => return,
        }
    }
}

/// Waits until there is no link, and it is this side's turn to dial.
async fn turn(target: &Target, context: &Context) {
    context.table.free(target.society).await;
    if target.own < target.society {
        sleep(COURTESY + jittered(COURTESY)).await;
        context.table.free(target.society).await;
    }
}

fn backoff(failures: u32) -> Duration {
    BACKOFF_MIN.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(BACKOFF_MAX)
}

/// Between half of it and the whole.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + f64::from(OsRng.next_u32()) / f64::from(u32::MAX) / 2.0)
}

/// One link, from the first packet to its end. `Err`: there never was one.
async fn attempt(target: &Target, tls: &MemberTls, context: &Context) -> Result<(), String> {
    let mut why = String::from("no endpoint");
    for endpoint in &target.endpoints {
        match timeout(FIRST_FRAME_MAX, open(target, endpoint, tls)).await {
            Ok(Ok(opened)) => return hold(target, endpoint, opened, context).await,
            Ok(Err(error)) => why = format!("{endpoint}: {error}"),
            Err(_) => why = format!("{endpoint}: no answer in time"),
        }
    }
    Err(why)
}

struct Opened {
    grip: Arc<Grip>,
    round_trip: Duration,
    outgoing: mpsc::Sender<v1::Frame>,
    incoming: Streaming<v1::Frame>,
}

async fn open(target: &Target, endpoint: &str, tls: &MemberTls) -> Result<Opened, String> {
    let started = Instant::now();
    let stream = TcpStream::connect(endpoint).await.map_err(|error| error.to_string())?;
    let round_trip = started.elapsed();
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    let (wire, grip) = Wire::new(stream, FIRST_FRAME_MAX);
    let connector =
        TlsConnector::from(Arc::new(tls.client(&target.key).map_err(|error| error.to_string())?));
    let secured = timeout(HANDSHAKE_MAX, connector.connect(nameless(), wire))
        .await
        .map_err(|_| "the handshake took too long".to_string())?
        .map_err(|error| match error.kind() {
            // rustls explains at length that nothing was said before the end.
            std::io::ErrorKind::UnexpectedEof => "it hung up during the handshake".to_string(),
            _ => error.to_string(),
        })?;
    let channel = over(secured).await.map_err(|error| error.to_string())?;
    let (outgoing, stream) = mpsc::channel(1);
    let incoming = FederationClient::new(channel)
        .max_decoding_message_size(FRAME_BYTES_MAX)
        .max_encoding_message_size(FRAME_BYTES_MAX)
        .session(ReceiverStream::new(stream))
        .await
        .map_err(|status| refusal(&status))?
        .into_inner();
    Ok(Opened { grip, round_trip, outgoing, incoming })
}

fn refusal(status: &Status) -> String {
    match status.code() {
        Code::AlreadyExists => "it has a link with us already".into(),
        _ => reason(status),
    }
}

/// A channel over this one connection, which it never makes again by itself.
async fn over(stream: TlsStream<Wire>) -> Result<Channel, tonic::transport::Error> {
    let once = Arc::new(Mutex::new(Some(stream)));
    Endpoint::from_static("http://peer")
        .http2_keep_alive_interval(KEEPALIVE_EVERY)
        .keep_alive_timeout(KEEPALIVE_MAX)
        .keep_alive_while_idle(true)
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .http2_max_local_error_reset_streams(Some(RESETS_LOCAL_MAX))
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .connect_with_connector(tower::service_fn(move |_: Uri| {
            let stream = once.lock().unwrap_or_else(PoisonError::into_inner).take();
            async move {
                stream.map(TokioIo::new).ok_or_else(|| {
                    std::io::Error::new(std::io::ErrorKind::NotConnected, "the connection was lost")
                })
            }
        }))
        .await
}

async fn hold(
    target: &Target,
    endpoint: &str,
    opened: Opened,
    context: &Context,
) -> Result<(), String> {
    let Opened { grip, round_trip, outgoing, incoming } = opened;
    let new = NewLink {
        society: target.society,
        key: target.key,
        dialled: true,
        address: endpoint.into(),
        round_trip_us: u32::try_from(round_trip.as_micros()).unwrap_or(u32::MAX),
        grip: grip.clone(),
    };
    let Ok(link) = context.table.admit(&new) else {
        grip.cut();
        return Ok(());
    };
    let ends = Ends { incoming, outgoing, wrap: std::convert::identity };
    link::run(context.clone(), new, link, ends).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_and_never_overflow() {
        assert_eq!(backoff(0), BACKOFF_MIN);
        assert_eq!(backoff(1), BACKOFF_MIN);
        assert_eq!(backoff(2), 2 * BACKOFF_MIN);
        assert_eq!(backoff(u32::MAX), BACKOFF_MAX);
        for _ in 0..100 {
            let pause = jittered(BACKOFF_MAX);
            assert!(pause >= BACKOFF_MAX / 2 && pause <= BACKOFF_MAX);
        }
    }
}
