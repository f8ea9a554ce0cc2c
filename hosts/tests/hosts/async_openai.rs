//! async-openai: the stack in the place of its own retries.

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::types::embeddings::CreateEmbeddingRequest;
use redress::dialects;
use redress::transport::Reqwest;
use redress_hosts::OpenAiService;
use tower::Layer;

use crate::redress;
use crate::server::{Answer, Server};

const EMBEDDING: &str = r#"{"object":"list","model":"m","data":[{"object":"embedding","index":0,"embedding":[0.5]}],"usage":{"prompt_tokens":1,"total_tokens":1}}"#;

fn client(server: &Server) -> Client<OpenAIConfig> {
    let (redress, config) = (redress(dialects::openai()), config(server));
    // docs: async-openai
    let stack = redress.layer(Reqwest::new(Reqwest::client_builder()).unwrap());
    let client = Client::with_config(config).with_http_service(OpenAiService::new(stack));
    // docs: end
    client
}

fn config(server: &Server) -> OpenAIConfig {
    OpenAIConfig::new().with_api_base(server.url()).with_api_key("sk-test")
}

fn client_alone(server: &Server) -> Client<OpenAIConfig> {
    Client::with_config(config(server)).with_http_client(Reqwest::client_builder().build().unwrap())
}

async fn embed(client: &Client<OpenAIConfig>) -> Result<f32, OpenAIError> {
    let request = CreateEmbeddingRequest { model: "m".to_owned(), input: "text".into(), ..Default::default() };
    client.embeddings().create(request).await.map(|response| response.data[0].embedding[0])
}

fn embedded() -> Answer {
    Answer::new(200).json(EMBEDDING)
}

#[tokio::test]
async fn a_429_is_repeated_after_its_retry_after() {
    let server = Server::start([Answer::retry_after(1), embedded()]).await;
    assert!((embed(&client(&server)).await.unwrap() - 0.5).abs() < f32::EPSILON);
    assert_eq!((server.count(), server.pause()), (2, 1));
    let arrivals = server.arrivals();
    assert!(arrivals[0].body == arrivals[1].body && arrivals[0].body.starts_with(b"{"));
    assert!(arrivals.iter().all(|arrival| arrival.headers["authorization"] == "Bearer sk-test"));
}

#[tokio::test]
async fn a_503_is_repeated() {
    let server = Server::start([Answer::new(503), Answer::new(200).json(r#"{"object":"list","data":[]}"#)]).await;
    client(&server).models().list().await.unwrap();
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn a_post_that_may_have_been_processed_arrives_once() {
    let server = Server::start([Answer::new(500)]).await;
    embed(&client(&server)).await.unwrap_err();
    assert_eq!(server.count(), 1);
    // async-openai's own retries pay for the same completion four times.
    let server = Server::start([Answer::new(500).header("retry-after", "0")]).await;
    embed(&client_alone(&server)).await.unwrap_err();
    assert_eq!(server.count(), 4);
}

#[tokio::test]
async fn an_error_body_is_async_openais_own_error() {
    let body = r#"{"error":{"message":"No such model","type":"invalid_request_error","param":"model","code":"model_not_found"}}"#;
    let server = Server::start([Answer::new(404).json(body)]).await;
    let OpenAIError::ApiError(error) = embed(&client(&server)).await.unwrap_err() else { panic!("it is an ApiError") };
    assert_eq!((error.status_code.as_u16(), error.api_error.message.as_str()), (404, "No such model"));
    assert_eq!(error.api_error.code.as_deref(), Some("model_not_found"));
}

/// A 429 of a gateway, whose body is not JSON: async-openai gives up at once with an error about the JSON.
#[tokio::test]
async fn a_429_that_is_not_json_is_waited_for() {
    let busy = || Answer::retry_after(1).header("content-type", "text/html").body("<h1>busy</h1>");
    let server = Server::start([busy(), embedded()]).await;
    let error = embed(&client_alone(&server)).await.unwrap_err();
    assert!(matches!(error, OpenAIError::JSONDeserialize(..)) && server.count() == 1, "{error}");

    let server = Server::start([busy(), embedded()]).await;
    embed(&client(&server)).await.unwrap();
    assert_eq!((server.count(), server.pause()), (2, 1));
}

#[tokio::test]
async fn without_a_response_the_error_of_the_stack_is_inside() {
    let config = OpenAIConfig::new().with_api_base("http://127.0.0.1:1").with_api_key("sk-test");
    let stack = redress(dialects::openai()).layer(Reqwest::new(Reqwest::client_builder()).unwrap());
    let client = Client::with_config(config).with_http_service(OpenAiService::new(stack));
    let OpenAIError::Boxed(error) = embed(&client).await.unwrap_err() else { panic!("no response came") };
    assert!(error.downcast_ref::<redress::Error>().is_some_and(redress::Error::is_connect));
}
