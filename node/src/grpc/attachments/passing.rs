//! Files that go along where a case is passed on: read here, and added to the new referral as this
//! society's own. Nothing leaves this node on the way, and nothing of it lies here in clear.

use tonic::Status;
use tutti_core::referral::attachment::PART_BYTES;
use tutti_proto::node::v1 as api;

use super::{Taking, parse_attachment, progress};
use crate::engine::Passing;

impl Taking {
    pub(super) async fn run_passed(self, passing: Passing) {
        if let Err(status) = self.pass(passing).await {
            let _ = self.sender.send(Err(status)).await;
        }
    }

    async fn pass(&self, passing: Passing) -> Result<(), Status> {
        let Passing { begun, read } = passing;
        let id = parse_attachment(&begun.attachment)?;
        if begun.added {
            let word = api::UploadProgress { attachment: begun.attachment, ..Default::default() };
            let _ = self.sender.send(Ok(word)).await;
            return Ok(());
        }
        let engine = &self.context.engine;
        let actor = self.actor.clone();
        let mut upload = engine.ask(move |engine, _| engine.own_upload(&actor, &id)).await??;
        while !upload.is_whole() {
            let part = upload.held + 1;
            let offset = u64::from(upload.held) * PART_BYTES as u64;
            let (actor, read) = (self.actor.clone(), read.clone());
            let kept = engine.ask(move |engine, now| {
                let opened = engine.read_attachment(&actor, &read, offset, false, now)?;
                engine.keep_upload_part(&actor, &id, part, &opened.bytes, now)?;
                engine.own_upload(&actor, &id)
            });
            upload = kept.await??;
            let _ = self.sender.send(Ok(progress(&upload, upload.offset()))).await;
        }
        self.add_held(&upload).await
    }
}
