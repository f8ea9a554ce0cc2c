//! kube: under it, as the service of a client, and as a layer of kube's own stack.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, PostParams};
use kube::client::{ClientBuilder, ConfigExt};
use kube::{Client, Config};
use redress::{BoxError, ReplayBodyLayer, dialects};
use redress_hosts::KubeLayer;
use tower::ServiceBuilder;

use crate::server::{Answer, Server};
use crate::{hyper, redress};

const CONFIG_MAP: &str = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"limits"},"data":{"rate":"5"}}"#;

/// kube's own stack with the layer.
fn client(server: &Server) -> Client {
    let (redress, mut config) = (redress(dialects::kubernetes()), config(server));
    // docs: kube
    config.default_retry = false;
    let client = ClientBuilder::try_from(config).unwrap().with_layer(&KubeLayer::new(redress)).build();
    // docs: end
    client
}

/// A service of its own, with kube's base URL and authentication.
fn client_over(server: &Server) -> Client {
    let (redress, config) = (redress(dialects::kubernetes()), config(server));
    // docs: kube over a transport
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer().unwrap())
        .map_err(BoxError::from)
        .layer(ReplayBodyLayer::new())
        .layer(redress)
        .service(hyper());
    let client = Client::new(service, config.default_namespace);
    // docs: end
    client
}

fn config(server: &Server) -> Config {
    Config::new(server.url().parse().unwrap())
}

fn clients(server: &Server) -> [Api<ConfigMap>; 2] {
    [client(server), client_over(server)].map(Api::default_namespaced)
}

fn client_alone(server: &Server) -> Api<ConfigMap> {
    Api::default_namespaced(ClientBuilder::try_from(config(server)).unwrap().build())
}

async fn create(api: &Api<ConfigMap>) -> kube::Result<ConfigMap> {
    let mut map = ConfigMap::default();
    map.metadata.name = Some("limits".to_owned());
    api.create(&PostParams::default(), &map).await
}

fn stored() -> Answer {
    Answer::new(200).json(CONFIG_MAP)
}

fn status(code: u16, reason: &str) -> Answer {
    let body = format!(r#"{{"kind":"Status","status":"Failure","code":{code},"reason":"{reason}","message":"busy"}}"#);
    Answer::new(code).json(&body)
}

#[tokio::test]
async fn a_429_is_repeated_after_its_retry_after() {
    let limited = || status(429, "TooManyRequests").header("retry-after", "1");
    let server = Server::start([limited(), stored(), limited(), stored()]).await;
    for (nth, api) in clients(&server).iter().enumerate() {
        create(api).await.unwrap();
        let arrivals = server.arrivals();
        assert_eq!(arrivals.len(), 2 * nth + 2);
        let [first, second] = [&arrivals[2 * nth], &arrivals[2 * nth + 1]];
        assert_eq!((second.at - first.at).as_secs(), 1);
        assert!(first.body == second.body && first.body.starts_with(b"{") && first.method == "POST");
    }
}

#[tokio::test]
async fn a_503_is_repeated() {
    let server = Server::start([status(503, "ServiceUnavailable"), stored(), Answer::new(503), stored()]).await;
    for (nth, api) in clients(&server).iter().enumerate() {
        assert_eq!(api.get("limits").await.unwrap().data.unwrap()["rate"], "5");
        assert_eq!(server.count(), 2 * nth + 2);
    }
}

#[tokio::test]
async fn an_error_body_is_kubes_own_error() {
    let body =
        r#"{"kind":"Status","code":409,"reason":"AlreadyExists","message":"it is there","details":{"name":"limits"}}"#;
    let server = Server::start([Answer::new(409).json(body)]).await;
    for api in clients(&server) {
        let kube::Error::Api(error) = create(&api).await.unwrap_err() else { panic!("it is a Status") };
        assert_eq!((error.code, error.reason.as_str(), error.message.as_str()), (409, "AlreadyExists", "it is there"));
        assert_eq!(error.details.unwrap().name, "limits");
    }
}

/// kube #2082: kube's own retries repeat a POST whatever its first attempt did, and are on by default.
#[tokio::test]
async fn issue_2082_a_post_that_may_have_been_processed_arrives_once() {
    let script = || [status(503, "ServiceUnavailable"), status(409, "AlreadyExists")];
    let server = Server::start(script()).await;
    let kube::Error::Api(error) = create(&client_alone(&server)).await.unwrap_err() else { panic!("it is a Status") };
    assert_eq!((error.code, server.count()), (409, 2), "the second POST finds what the first has made");

    for nth in 0..2 {
        let server = Server::start(script()).await;
        let api = &clients(&server)[nth];
        let kube::Error::Api(error) = create(api).await.unwrap_err() else { panic!("it is a Status") };
        assert_eq!((error.code, server.count()), (503, 1));
    }
}

#[tokio::test]
async fn a_connection_that_was_refused_is_repeated_whatever_the_method() {
    let mut config = Config::new("http://127.0.0.1:1".parse().unwrap());
    config.default_retry = false;
    let layer = KubeLayer::new(redress(dialects::kubernetes()));
    let client = ClientBuilder::try_from(config).unwrap().with_layer(&layer).build();
    let kube::Error::Service(error) = create(&Api::default_namespaced(client)).await.unwrap_err() else {
        panic!("no response came")
    };
    let error = error.downcast_ref::<redress::Error>().expect("it is the stack's");
    assert!(error.is_connect() && error.record().is_some_and(|record| record.attempts().len() == 3), "{error:?}");
}
