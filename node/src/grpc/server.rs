//! The services together, as both ways in serve them.

use std::time::Duration;

use tonic::{
    service::{Routes, interceptor::InterceptedService},
    transport::Server,
};
use tonic_health::server::HealthReporter;
use tutti_proto::node::v1::{
    access_server::AccessServer, approvals_server::ApprovalsServer,
    attachments_server::AttachmentsServer, drafts_server::DraftsServer,
    information_server::InformationServer, log_server::LogServer, login_server::LoginServer,
    node_server::NodeServer, people_server::PeopleServer, referrals_server::ReferralsServer,
};

use super::{Context, admit::Admit, attachments, information, log, node, people, referrals};

/// A request: at most a body, which is 1 MiB, and its record.
const REQUEST_BYTES_MAX: usize = 2 * 1024 * 1024;

/// A request of somebody who has shown no token yet: a name and two passwords, or the name of a service.
const STRANGER_BYTES_MAX: usize = 8 * 1024;

/// An answer, or one message of a stream: what gRPC clients take if nobody tells them otherwise, so that
/// what leaves here arrives. That an answer is no longer is each question's to see to (`engine::query`).
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How long a request may take until its answer begins.
const REQUEST_MAX: Duration = Duration::from_secs(30);

/// Requests under way on one connection; watches count.
const STREAMS_MAX: u32 = 64;

/// The services, ready to be served more than once.
#[derive(Clone)]
pub(crate) struct Services {
    routes: Routes,
    health: HealthReporter,
}

impl Services {
    pub(crate) async fn new(context: &Context) -> Result<Self, tonic_reflection::server::Error> {
        // What the macros generate has no trait for these two settings.
        macro_rules! limited {
            ($server:ident, $service:expr) => {
                $server::new($service)
                    .max_decoding_message_size(REQUEST_BYTES_MAX)
                    .max_encoding_message_size(ANSWER_BYTES_MAX)
            };
        }
        let referrals = limited!(ReferralsServer, referrals::Service(context.clone()));
        let attachments = limited!(AttachmentsServer, attachments::Service::new(context.clone()));
        let information = limited!(InformationServer, information::Service(context.clone()));
        let log = limited!(LogServer, log::Service(context.clone()));
        let node = limited!(NodeServer, node::Service(context.clone()));
        let service = people::Service(context.clone());
        let people = limited!(PeopleServer, service.clone());
        let access = limited!(AccessServer, service.clone());
        let approvals = limited!(ApprovalsServer, service.clone());
        let drafts = limited!(DraftsServer, service);
        let login = LoginServer::new(people::LoginService::new(context.clone()))
            .max_decoding_message_size(STRANGER_BYTES_MAX)
            .max_encoding_message_size(ANSWER_BYTES_MAX);
        let admit = Admit(context.gate.clone());
        macro_rules! admitted {
            ($service:ident) => {
                InterceptedService::new($service, admit.clone())
            };
        }
        let (health, health_service) = tonic_health::server::health_reporter();
        health.set_serving::<ReferralsServer<referrals::Service>>().await;
        health.set_serving::<AttachmentsServer<attachments::Service>>().await;
        health.set_serving::<InformationServer<information::Service>>().await;
        health.set_serving::<LogServer<log::Service>>().await;
        health.set_serving::<NodeServer<node::Service>>().await;
        health.set_serving::<PeopleServer<people::Service>>().await;
        health.set_serving::<AccessServer<people::Service>>().await;
        health.set_serving::<DraftsServer<people::Service>>().await;
        health.set_serving::<ApprovalsServer<people::Service>>().await;
        health.set_serving::<LoginServer<people::LoginService>>().await;
        let routes = Routes::new(admitted!(referrals))
            .add_service(admitted!(attachments))
            .add_service(admitted!(information))
            .add_service(admitted!(log))
            .add_service(admitted!(node))
            .add_service(admitted!(people))
            .add_service(admitted!(access))
            .add_service(admitted!(drafts))
            .add_service(admitted!(approvals))
            .add_service(login)
            .add_service(health_service.max_decoding_message_size(STRANGER_BYTES_MAX))
            .add_service(reflection().build_v1()?.max_decoding_message_size(STRANGER_BYTES_MAX))
            .add_service(
                reflection().build_v1alpha()?.max_decoding_message_size(STRANGER_BYTES_MAX),
            );
        Ok(Self { routes, health })
    }

    pub(super) fn routes(&self) -> Routes {
        self.routes.clone()
    }

    /// From now on, health checks say that the node is stopping.
    pub(crate) async fn stopping(&self) {
        use tonic_health::ServingStatus::NotServing;
        for service in [""].into_iter().chain(SERVICES) {
            self.health.set_service_status(service, NotServing).await;
        }
    }
}

const SERVICES: [&str; 10] = [
    "tutti.node.v1.Referrals",
    "tutti.node.v1.Attachments",
    "tutti.node.v1.Information",
    "tutti.node.v1.Log",
    "tutti.node.v1.Node",
    "tutti.node.v1.People",
    "tutti.node.v1.Access",
    "tutti.node.v1.Drafts",
    "tutti.node.v1.Approvals",
    "tutti.node.v1.Login",
];

/// Shows what is served here, and not what nodes say to each other.
fn reflection() -> tonic_reflection::server::Builder<'static> {
    let shown = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(tutti_proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .with_service_name("grpc.health.v1.Health");
    SERVICES.into_iter().fold(shown, |shown, name| shown.with_service_name(name))
}

/// A server with this API's limits.
pub(super) fn limited() -> Server {
    Server::builder()
        .timeout(REQUEST_MAX)
        .max_concurrent_streams(STREAMS_MAX)
        .http2_max_header_list_size(16 * 1024)
        .http2_max_pending_accept_reset_streams(Some(20))
        .http2_max_local_error_reset_streams(Some(32))
        .http2_keepalive_interval(Some(Duration::from_secs(45)))
        .http2_keepalive_timeout(Some(Duration::from_secs(20)))
}
