//! Writes: what people at a society ask of their node, again after each start until it is answered.

use tutti_node::engine::{Receipt, Refused, Write};

use super::{Conduct, Simulation, truth::Parties};

/// A write that a caseworker repeats, with the same key, until it is answered.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) write: Write,
    pub(super) parties: Parties,
}

impl Simulation {
    /// Something is written at a node, and tried again after each start until it is answered.
    pub(super) fn write(&mut self, node: usize, jobs: Vec<Job>) -> Vec<Option<Receipt>> {
        self.busy_ms = self.now_ms;
        let writes = jobs.iter().map(|job| job.write.clone()).collect();
        let society = self.nodes[node].society;
        for job in &jobs {
            self.truth.borrow_mut().keeping.asked(&super::origin(society), &job.write);
        }
        let answers = self.nodes[node].write(writes, self.now_ms);
        let mut receipts = Vec::new();
        for (job, answer) in jobs.into_iter().zip(answers) {
            receipts.push(match answer {
                Ok(receipt) => {
                    if let Parties::Named(parties) = &job.parties {
                        let others = parties.iter().filter(|party| **party != society);
                        others.for_each(|other| self.link_to(node, *other));
                    }
                    if self.nodes[node].conduct == Conduct::Honest {
                        let mut truth = self.truth.borrow_mut();
                        truth.keeping.written(&job.write, &receipt);
                        truth.acknowledged(society, receipt.index, job.parties);
                    }
                    Some(receipt)
                }
                Err(Refused::Stopping | Refused::Full | Refused::NotWriting(_)) => {
                    self.unanswered.entry(node).or_default().push(job);
                    None
                }
                Err(_) => {
                    self.refused += 1;
                    None
                }
            });
        }
        self.after(node);
        receipts
    }

    pub(super) fn retry(&mut self, node: usize) {
        if let Some(jobs) = self.unanswered.remove(&node) {
            self.write(node, jobs);
        }
    }
}
