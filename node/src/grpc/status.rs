//! Every error as a status, in one exhaustive match.

use tonic::{Code, Status};

use crate::engine::Refused;

impl From<Refused> for Status {
    fn from(refused: Refused) -> Self {
        let code = match &refused {
            Refused::Invalid(_) => Code::InvalidArgument,
            Refused::NotFound(_) => Code::NotFound,
            Refused::State(_) | Refused::OpenAtColleague(_) | Refused::NotWriting(_) => {
                Code::FailedPrecondition
            }
            Refused::NotAllowed(_) => Code::PermissionDenied,
            Refused::Full => Code::ResourceExhausted,
            Refused::Stopping => Code::Unavailable,
            Refused::Internal(_) => Code::Internal,
        };
        Self::new(code, refused.to_string())
    }
}
