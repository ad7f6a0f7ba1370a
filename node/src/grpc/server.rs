//! The services together, as both ways in serve them.

use std::time::Duration;

use tonic::{service::Routes, transport::Server};
use tonic_health::server::HealthReporter;
use tutti_proto::node::v1::{
    information_server::InformationServer, log_server::LogServer, node_server::NodeServer,
    referrals_server::ReferralsServer,
};

use super::{Context, information, log, node, referrals};

/// A request: at most a body, which is 1 MiB, and its record.
const REQUEST_BYTES_MAX: usize = 2 * 1024 * 1024;

/// An answer: a page. Streams are bounded by their messages.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

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
        let information = limited!(InformationServer, information::Service(context.clone()));
        let log = limited!(LogServer, log::Service(context.clone()));
        let node = limited!(NodeServer, node::Service(context.clone()));
        let (health, health_service) = tonic_health::server::health_reporter();
        health.set_serving::<ReferralsServer<referrals::Service>>().await;
        health.set_serving::<InformationServer<information::Service>>().await;
        health.set_serving::<LogServer<log::Service>>().await;
        health.set_serving::<NodeServer<node::Service>>().await;
        let routes = Routes::new(referrals)
            .add_service(information)
            .add_service(log)
            .add_service(node)
            .add_service(health_service)
            .add_service(reflection().build_v1()?)
            .add_service(reflection().build_v1alpha()?);
        Ok(Self { routes, health })
    }

    pub(super) fn routes(&self) -> Routes {
        self.routes.clone()
    }

    /// From now on, health checks say that the node is stopping.
    pub(crate) async fn stopping(&self) {
        use tonic_health::ServingStatus::NotServing;
        for service in ["", REFERRALS, INFORMATION, LOG, NODE] {
            self.health.set_service_status(service, NotServing).await;
        }
    }
}

const REFERRALS: &str = "tutti.node.v1.Referrals";
const INFORMATION: &str = "tutti.node.v1.Information";
const LOG: &str = "tutti.node.v1.Log";
const NODE: &str = "tutti.node.v1.Node";

/// Shows what is served here, and not what nodes say to each other.
fn reflection() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(tutti_proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .with_service_name(REFERRALS)
        .with_service_name(INFORMATION)
        .with_service_name(LOG)
        .with_service_name(NODE)
        .with_service_name("grpc.health.v1.Health")
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
