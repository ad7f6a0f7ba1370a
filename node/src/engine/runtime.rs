//! The engine's thread, its queue, and the handle that everything else holds.
//!
//! The queue is bounded: whoever fills it waits. Writes that wait together are committed together
//! (group commit): one append, one signature, one round of `fdatasync`.

use std::{thread, time::Duration};

use rand_core::CryptoRngCore;
use tokio::sync::{mpsc, oneshot};
use tutti_core::store::Store;

use super::{Engine, Order, Receipt, Refused};
use crate::{clock::Now, peers::Incoming};

/// Messages that may wait.
const QUEUE: usize = 1024;

/// Writes in one group commit.
const GROUP_MAX: usize = 256;

/// Messages that are taken before timers are looked at again, however many wait.
const ROUND_MAX: usize = 256;

type Question<S, R> = Box<dyn FnOnce(&mut Engine<S, R>, u64) + Send>;

enum Message<S, R> {
    Write(Box<Order>, oneshot::Sender<Result<Receipt, Refused>>),
    Ask(Question<S, R>),
    Peer(Incoming),
    Stop(oneshot::Sender<()>),
}

/// How everything else speaks to the engine. Cheap to clone.
pub struct Handle<S, R> {
    queue: mpsc::Sender<Message<S, R>>,
}

impl<S, R> Clone for Handle<S, R> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone() }
    }
}

impl<S: 'static, R: 'static> Handle<S, R> {
    /// Commits an order; comes back once it is durable.
    pub async fn write(&self, order: Order) -> Result<Receipt, Refused> {
        let (answer, answered) = oneshot::channel();
        self.send(Message::Write(Box::new(order), answer)).await?;
        answered.await.unwrap_or(Err(Refused::Stopping))
    }

    /// Asks the engine something, between two messages. The clock is in milliseconds since the
    /// Unix epoch. Keep it short: nothing else happens meanwhile.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Engine<S, R>, u64) -> T + Send + 'static,
    ) -> Result<T, Refused> {
        let (answer, answered) = oneshot::channel();
        let question: Question<S, R> = Box::new(move |engine, now_ms| {
            // Whoever asked may have gone away.
            let _ = answer.send(question(engine, now_ms));
        });
        self.send(Message::Ask(question)).await?;
        answered.await.map_err(|_| Refused::Stopping)
    }

    /// Hands over what a peer did. Waits where the engine is behind: that is the back-pressure.
    pub async fn peer(&self, incoming: Incoming) -> Result<(), Refused> {
        self.send(Message::Peer(incoming)).await
    }

    /// Stops the engine after what is queued; all that was answered is durable.
    pub async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        if self.send(Message::Stop(done)).await.is_ok() {
            let _ = stopped.await;
        }
    }

    async fn send(&self, message: Message<S, R>) -> Result<(), Refused> {
        self.queue.send(message).await.map_err(|_| Refused::Stopping)
    }
}

/// Comes when the engine has ended and its store is closed, with the reason where it was a fault
/// that must end the process. It fails where the thread panicked.
pub type Ended = oneshot::Receiver<Option<String>>;

/// Starts the engine's thread.
pub fn start<S, R>(mut engine: Engine<S, R>) -> std::io::Result<(Handle<S, R>, Ended)>
where
    S: Store + Send + 'static,
    R: CryptoRngCore + Send + 'static,
{
    let (queue, mut messages) = mpsc::channel(QUEUE);
    let (ending, ended) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    thread::Builder::new().name("engine".into()).spawn(move || {
        runtime.block_on(run(&mut engine, &mut messages));
        let fatal = engine.fatal().map(String::from);
        drop(engine);
        let _ = ending.send(fatal);
    })?;
    Ok((Handle { queue }, ended))
}

async fn run<S: Store, R: CryptoRngCore>(
    engine: &mut Engine<S, R>,
    messages: &mut mpsc::Receiver<Message<S, R>>,
) {
    while engine.fatal().is_none() {
        let wait = engine.next_timer().map_or(Duration::from_secs(1), |at| {
            Duration::from_millis(at.saturating_sub(Now::read().steady_ms))
        });
        let first = tokio::select! {
            message = messages.recv() => match message {
                Some(message) => Some(message),
                None => return,
            },
            () = tokio::time::sleep(wait.min(Duration::from_secs(1))) => None,
        };
        let (mut writes, mut arrived) = (Vec::new(), Vec::new());
        let mut next = first;
        let mut stop = None;
        let mut taken = 0;
        while let Some(message) = next.take() {
            taken += 1;
            match message {
                Message::Write(order, answer) => writes.push((*order, answer)),
                Message::Peer(incoming) => arrived.push(incoming),
                // In the order of arrival: a question sees the writes that came before it.
                Message::Ask(question) => {
                    exchange(engine, &mut arrived);
                    commit(engine, &mut writes);
                    question(engine, Now::read().wall_ms);
                }
                Message::Stop(done) => stop = Some(done),
            }
            if stop.is_none() && taken < ROUND_MAX && writes.len() < GROUP_MAX {
                next = messages.try_recv().ok();
            }
        }
        exchange(engine, &mut arrived);
        commit(engine, &mut writes);
        engine.tick(Now::read());
        if let Some(done) = stop {
            let _ = done.send(());
            return;
        }
    }
}

/// What peers did and what is written here are independent of each other until it is durable, so
/// each is taken together; what peers did comes first, so that a decision knows of it.
fn exchange<S: Store, R: CryptoRngCore>(engine: &mut Engine<S, R>, arrived: &mut Vec<Incoming>) {
    if arrived.is_empty() {
        return;
    }
    let (events, _waiting): (Vec<_>, Vec<_>) = arrived.drain(..).map(Incoming::into_parts).unzip();
    engine.peers(events, Now::read());
}

fn commit<S: Store, R: CryptoRngCore>(
    engine: &mut Engine<S, R>,
    writes: &mut Vec<(Order, oneshot::Sender<Result<Receipt, Refused>>)>,
) {
    if writes.is_empty() {
        return;
    }
    let (group, answers): (Vec<_>, Vec<_>) = writes.drain(..).unzip();
    for (result, answer) in engine.write_all(group, Now::read()).into_iter().zip(answers) {
        let _ = answer.send(result);
    }
}
