//! `tutti.node.v1.Log`. Long answers are read in steps between the engine's other work, so that an
//! export of a large log holds up no caseworker.

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use tutti_core::{
    export::{Export, ExportFile},
    society::Origin,
};
use tutti_proto::node::v1::{self as api, log_server::Log};

use super::{Context, decode};
use crate::{engine::Refused, local::Actor, rosters};

/// Messages of one stream that wait for a slow client.
const QUEUE: usize = 8;

/// Bytes of one piece of an exported file.
const PIECE_BYTES: usize = 64 * 1024;

/// Bytes of files that are read in one step of the engine.
const STEP_BYTES: usize = 256 * 1024;

pub(super) struct Service(pub(super) Context);

type Stream<T> = ReceiverStream<Result<T, Status>>;

#[tonic::async_trait]
impl Log for Service {
    type EntriesStream = Stream<api::LogEntry>;
    type ExportStream = Stream<api::ExportPiece>;

    async fn list(
        &self,
        request: Request<api::ListLogsRequest>,
    ) -> Result<Response<api::ListLogsResponse>, Status> {
        let actor = self.0.actor(&request)?;
        let request = request.into_inner();
        let logs = self.0.engine.ask(move |engine, _| engine.logs(&actor, &request)).await??;
        Ok(Response::new(logs))
    }

    async fn entries(
        &self,
        request: Request<api::EntriesRequest>,
    ) -> Result<Response<Self::EntriesStream>, Status> {
        let actor = self.0.actor(&request)?;
        let request = request.into_inner();
        let origin = self.0.origin(&request.origin)?;
        // Before the answer, so that what is wrong with the request is its status.
        let first = self.0.page(&actor, &origin, request.start, request.count).await?;
        let (sender, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(entries(self.0.clone(), actor, origin, request.count, first, sender));
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn prove(
        &self,
        request: Request<api::ProveRequest>,
    ) -> Result<Response<api::ProveResponse>, Status> {
        let actor = self.0.actor(&request)?;
        let request = request.into_inner();
        let origin = self.0.origin(&request.origin)?;
        let (index, with_record) = (request.index, request.with_record);
        let ask =
            self.0.engine.ask(move |engine, _| engine.prove(&actor, &origin, index, with_record));
        let proof = ask.await??;
        Ok(Response::new(proof))
    }

    async fn export(
        &self,
        request: Request<api::ExportRequest>,
    ) -> Result<Response<Self::ExportStream>, Status> {
        let actor = self.0.actor(&request)?;
        let request = request.into_inner();
        let origin = self.0.origin(&request.origin)?;
        let with_bodies = !request.without_bodies;
        let dir = self.0.about.dir.clone();
        let rosters = tokio::task::spawn_blocking(move || rosters::load(&dir))
            .await
            .map_err(|error| Status::internal(error.to_string()))?
            .map_err(|error| Status::internal(error.to_string()))?;
        let export = self
            .0
            .engine
            .ask(move |engine, _| engine.export(&actor, &origin, &rosters, with_bodies))
            .await??
            .ok_or_else(|| {
                Refused::NotFound("nothing of that log is held here. See `tutti status`".into())
            })?;
        let (sender, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(pieces(self.0.clone(), export, sender));
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

impl Context {
    fn origin(&self, text: &str) -> Result<Origin, Refused> {
        decode::origin(text, &self.about.origin)
    }

    async fn page(
        &self,
        actor: &Actor,
        origin: &Origin,
        start: u64,
        count: u64,
    ) -> Result<Vec<api::LogEntry>, Refused> {
        let (actor, origin) = (actor.clone(), origin.clone());
        let count = if count == 0 { u64::MAX } else { count };
        self.engine.ask(move |engine, _| engine.entries(&actor, &origin, start, count)).await?
    }
}

/// Gives page after page. Ends when the client has gone away.
async fn entries(
    context: Context,
    actor: Actor,
    origin: Origin,
    count: u64,
    first: Vec<api::LogEntry>,
    sender: mpsc::Sender<Result<api::LogEntry, Status>>,
) {
    let mut left = if count == 0 { u64::MAX } else { count };
    let mut page = first;
    while let Some(last) = page.last() {
        let next = last.index.saturating_add(1);
        left = left.saturating_sub(page.len() as u64);
        for entry in page {
            if sender.send(Ok(entry)).await.is_err() {
                return;
            }
        }
        if left == 0 {
            return;
        }
        page = match context.page(&actor, &origin, next, left).await {
            Ok(page) => page,
            Err(refused) => {
                let _ = sender.send(Err(refused.into())).await;
                return;
            }
        };
    }
}

/// Gives file after file, each in pieces. Ends when the client has gone away.
async fn pieces(
    context: Context,
    mut export: Export,
    sender: mpsc::Sender<Result<api::ExportPiece, Status>>,
) {
    loop {
        let step = context
            .engine
            .ask(move |engine, _| {
                let (mut files, mut bytes) = (Vec::new(), 0);
                while bytes < STEP_BYTES {
                    match export.next_file(engine.store()) {
                        Some(Ok(file)) => {
                            bytes += file.bytes.len();
                            files.push(file);
                        }
                        Some(Err(error)) => return Err(Refused::from(error)),
                        None => return Ok((files, export.progress(), None)),
                    }
                }
                let progress = export.progress();
                Ok((files, progress, Some(export)))
            })
            .await;
        let (files, progress, rest) = match step.and_then(|step| step) {
            Ok(step) => step,
            Err(refused) => {
                let _ = sender.send(Err(refused.into())).await;
                return;
            }
        };
        for piece in files.into_iter().flat_map(|file| cut(file, progress)) {
            if sender.send(Ok(piece)).await.is_err() {
                return;
            }
        }
        match rest {
            Some(rest) => export = rest,
            None => return,
        }
    }
}

/// A file in pieces; an empty one is one piece.
pub(super) fn cut(file: ExportFile, (done, total): (u64, u64)) -> Vec<api::ExportPiece> {
    let count = file.bytes.len().div_ceil(PIECE_BYTES).max(1);
    (0..count)
        .map(|n| api::ExportPiece {
            path: file.path.clone(),
            data: file.bytes.iter().skip(n * PIECE_BYTES).take(PIECE_BYTES).copied().collect(),
            last: n + 1 == count,
            entries_done: done,
            entries_total: total,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_put_together_are_the_file() {
        for size in [0, 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES] {
            let bytes: Vec<u8> = (0..size).map(|n| n as u8).collect();
            let pieces = cut(ExportFile { path: "p".into(), bytes: bytes.clone() }, (1, 2));
            assert_eq!(
                pieces.iter().flat_map(|piece| piece.data.clone()).collect::<Vec<_>>(),
                bytes
            );
            let lasts = pieces.iter().filter(|piece| piece.last).count();
            assert!(lasts == 1 && pieces.last().is_some_and(|piece| piece.last));
        }
    }
}
