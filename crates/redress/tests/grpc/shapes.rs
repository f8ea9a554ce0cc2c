//! Every status in every shape of a response.

use redress::grpc::GrpcCode;
use redress::{Class, EndReason, Recovery};

use super::server::{Answer, MESSAGE, start, status};
use super::{call, end, layer, repeatable, send};

#[tokio::test]
async fn each_code_in_the_head_or_in_trailers_alone_is_an_error_and_only_unavailable_is_retried() {
    for code in GrpcCode::ALL {
        for shape in [Answer::Head, Answer::Trailers] {
            let (url, log) = start(vec![shape(status(code as u8))]).await;
            let outcome = send(&layer(), repeatable(&url)).await;
            let verdict = outcome.as_ref().ok().and_then(|answered| answered.verdict.clone()).expect("an error");
            assert_eq!(verdict.api_error().and_then(|error| error.code()), Some(code.as_str()));
            let is_retried = code == GrpcCode::Unavailable;
            assert_eq!(log.len(), if is_retried { 3 } else { 1 }, "{code}");
            assert_eq!(end(&outcome), is_retried.then_some(EndReason::MaxAttempts), "{code}");
        }
    }
}

#[tokio::test]
async fn each_code_after_a_message_comes_up_in_the_trailers_and_is_not_retried() {
    for code in GrpcCode::ALL {
        let (url, log) = start(vec![Answer::Message(status(code as u8))]).await;
        let answered = send(&layer(), repeatable(&url)).await.expect("a response");
        assert!(answered.verdict.is_none() && answered.record.is_none(), "{code}");
        assert_eq!((&*answered.data, log.len()), (MESSAGE, 1), "{code}");
        assert_eq!(answered.trailers["grpc-status"], (code as u8).to_string());
    }
}

#[tokio::test]
async fn a_success_in_each_shape_is_a_success() {
    for answer in [Answer::Head(status(0)), Answer::Trailers(status(0)), Answer::Message(status(0))] {
        let (url, log) = start(vec![answer.clone()]).await;
        let answered = send(&layer(), call(&url)).await.expect("a response");
        assert!(answered.verdict.is_none() && answered.record.is_none() && log.len() == 1, "{answer:?}");
    }
}

#[tokio::test]
async fn a_proxy_that_answers_in_html_is_read_by_its_status() {
    let page = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>";
    for (status, class, requests) in [(502, Class::Unavailable, 3), (404, Class::Invalid, 1), (500, Class::Unknown, 1)]
    {
        let (url, log) = start(vec![Answer::Html(status, page)]).await;
        let answered = send(&layer(), repeatable(&url)).await.expect("a response");
        assert_eq!(answered.verdict.map(|verdict| verdict.class()), Some(class), "{status}");
        assert_eq!((&*answered.data, log.len()), (page.as_bytes(), requests), "{status}");
    }
}

#[tokio::test]
async fn details_in_the_trailers_reach_the_caller() {
    // A google.rpc.Status with a BadRequest: the field `days` is "above 30".
    let details = "CAMaQgopdHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLkJhZFJlcXVlc3QSFQoTCgRkYXlzEgtpcyBhYm92ZSAzMA";
    let mut fields = status(3);
    fields
        .extend([("grpc-message", "days%3A is above 30".to_owned()), ("grpc-status-details-bin", details.to_owned())]);
    let (url, _) = start(vec![Answer::Trailers(fields)]).await;
    let answered = send(&layer(), call(&url)).await.expect("a response");
    let error = answered.verdict.as_ref().and_then(|verdict| verdict.api_error()).expect("an error");
    assert_eq!((error.code(), error.message()), (Some("INVALID_ARGUMENT"), Some("days: is above 30")));
    assert_eq!((error.class(), error.recovery()), (Class::Invalid, Recovery::FixRequest));
    assert_eq!((&*error.fields()[0].path, &*error.fields()[0].message), ("days", "is above 30"));
}
