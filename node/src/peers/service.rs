//! `tutti.v1.Federation`, for members that have proven who they are.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use tutti_core::{roster::TlsSpki, society::Society};
use tutti_proto::v1::{self, federation_server::Federation};

use super::{
    link::{self, Context, Ends},
    table::{NewLink, NotAdmitted},
    wire::Grip,
};

/// What TLS has proven of a connection.
#[derive(Clone)]
pub(super) struct Proven {
    pub(super) society: Society,
    pub(super) key: TlsSpki,
    pub(super) address: SocketAddr,
    pub(super) grip: Arc<Grip>,
    /// One connection carries one session.
    pub(super) taken: Arc<AtomicBool>,
}

pub(super) struct Service(pub(super) Context);

#[tonic::async_trait]
impl Federation for Service {
    type SessionStream = ReceiverStream<Result<v1::Frame, Status>>;

    async fn session(
        &self,
        request: Request<Streaming<v1::Frame>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let proven = request
            .extensions()
            .get::<Proven>()
            .cloned()
            .ok_or_else(|| Status::unauthenticated("no key was proven"))?;
        if proven.taken.swap(true, SeqCst) {
            return Err(Status::resource_exhausted("one session a connection"));
        }
        let new = NewLink {
            society: proven.society,
            key: proven.key,
            dialled: false,
            address: proven.address.to_string(),
            round_trip_us: 0,
            grip: proven.grip,
        };
        let link = self.0.table.admit(&new).map_err(|refused| match refused {
            NotAdmitted::Duplicate => Status::already_exists("there is a link already"),
            NotAdmitted::NoMember => Status::permission_denied("the roster has changed"),
        })?;
        let (outgoing, stream) = mpsc::channel(1);
        let ends = Ends { incoming: request.into_inner(), outgoing, wrap: Ok };
        tokio::spawn(link::run(self.0.clone(), new, link, ends));
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}
