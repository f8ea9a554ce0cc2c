//! The standard retry strategy of the AWS SDKs.

use std::fmt;
use std::sync::Arc;

use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier};
use aws_smithy_runtime::client::retries::{RetryPartition, TokenBucket};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::retry::RetryConfig;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use redress::BoxError;
use tower::service_fn;
use tower::timeout::error::Elapsed;

use super::exchange::Exchange;
use super::versions;
use crate::policy::{BoxClient, Policy, PolicyContext};
use crate::transport::LabBody;
use crate::transport::ORIGIN;

/// The orchestrator of aws-smithy-runtime with its `StandardRetryStrategy`, over the modelled network
/// instead of an HTTP client.
///
/// It runs `RetryConfig::standard()`, a token bucket with its defaults, and the classifiers of a
/// generated client for errors that no service model describes: connector errors and the statuses 500,
/// 502, 503 and 504. The AWS SDKs detect throttling by error codes of a service, so a plain 429 is not
/// retried. The classifiers ignore the method: a POST is sent again as well.
///
/// Each run has its own token bucket in a custom partition, because the crate keeps the buckets of its
/// default partitions for the lifetime of the process. The waits use fastrand's thread-local generator,
/// which the run seeds.
#[derive(Clone, Copy, Debug)]
pub struct AwsSmithy;

/// The operation. The orchestrator sees an empty request, and only the status of the response.
type Call = Operation<(), (), Refused>;

/// An error response.
#[derive(Debug)]
struct Refused;

/// The connector: sends through the [`Exchange`] of the current task.
#[derive(Debug)]
struct Connector;

tokio::task_local! {
    /// The call in flight. The orchestrator drops the extensions of a request when it clones it, so the
    /// call cannot travel in them.
    static EXCHANGE: Arc<Exchange>;
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused")
    }
}

impl std::error::Error for Refused {}

impl HttpConnector for Connector {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let Ok(exchange) = EXCHANGE.try_with(Arc::clone) else {
            return HttpConnectorFuture::ready(Err(ConnectorError::other("no call is under way".into(), None)));
        };
        HttpConnectorFuture::new(async move {
            let status = exchange.attempt().await.map_err(connector_error)?;
            let status = status.as_u16().try_into().map_err(|error| ConnectorError::other(Box::new(error), None))?;
            Ok(HttpResponse::new(status, SdkBody::empty()))
        })
    }
}

/// Maps a transport error to the connector error that the HTTP client of the SDK would return.
fn connector_error(error: BoxError) -> ConnectorError {
    if error.is::<Elapsed>() { ConnectorError::timeout(error) } else { ConnectorError::io(error) }
}

/// Builds the operation as a generated client of an SDK does, without endpoint resolution and authentication.
fn operation() -> Call {
    let mut layer = Layer::new("lab");
    layer.store_put(RetryPartition::custom("lab").token_bucket(TokenBucket::default()).build());
    Operation::builder()
        .service_name("lab")
        .operation_name("call")
        .endpoint_url(ORIGIN)
        .no_auth()
        .sleep_impl(TokioSleep::new())
        .standard_retry(&RetryConfig::standard())
        .retry_classifier(TransientErrorClassifier::<Refused>::new())
        .retry_classifier(HttpStatusCodeClassifier::default())
        .http_client(http_client_fn(|_, _| SharedHttpConnector::new(Connector)))
        .runtime_plugin(StaticRuntimePlugin::new().with_config(layer.freeze()))
        .serializer(|()| Ok(HttpRequest::new(SdkBody::empty())))
        .deserializer(
            |response| {
                if response.status().is_success() { Ok(()) } else { Err(OrchestratorError::operation(Refused)) }
            },
        )
        .build()
}

/// Invokes the operation within the exchange of this call.
async fn call(operation: Arc<Call>, exchange: Arc<Exchange>) -> Result<Response<LabBody>, BoxError> {
    let result = EXCHANGE.scope(Arc::clone(&exchange), operation.invoke(())).await;
    match (exchange.response(), result) {
        (Some(response), _) => Ok(response),
        (None, Err(error)) => Err(error.into()),
        (None, Ok(())) => Err("a response that is not there".into()),
    }
}

impl Policy for AwsSmithy {
    fn name(&self) -> &'static str {
        "aws-smithy"
    }

    fn about(&self) -> String {
        let version = versions::AWS_SMITHY_RUNTIME;
        format!(
            "aws-smithy-runtime {version}: RetryConfig::standard() (3 attempts, 1 s to 20 s, full jitter) with TokenBucket::default() (500, 10 a retry)"
        )
    }

    fn client(&self, context: &PolicyContext) -> BoxClient {
        let (service, operation) = (context.transport(), Arc::new(operation()));
        BoxClient::new(service_fn(move |request: Request<Full<Bytes>>| {
            call(Arc::clone(&operation), Arc::new(Exchange::new(service.clone(), request)))
        }))
    }
}
