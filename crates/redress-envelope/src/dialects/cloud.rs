//! Clouds and infrastructure.

use super::Shipped;
use crate::dialect::Dialect;

/// Returns the dialect of Auth0.
///
/// The signals of [`oauth2`](super::oauth2) hold.
///
/// # Codes
/// Those of [`oauth2`](super::oauth2), and:
///
/// - `conflict`: `auth0_idp_error`
/// - `invalid`: `invalid_body`
/// - `not_found`: `inexistent_user`
#[must_use]
pub fn auth0() -> Dialect {
    AUTH0.dialect()
}

pub(super) static AUTH0: Shipped =
    Shipped::new("auth0", include_str!("../../dialects/auth0.toml")).extending(&super::OAUTH2);

/// Returns the dialect of AWS.
///
/// The status signals an error.
///
/// # Codes
/// - `conflict`: `BucketAlreadyExists`, `BucketAlreadyOwnedByYou`,
///   `ConcurrentModificationException`, `ConditionalCheckFailedException`,
///   `ConflictException`, `EntityAlreadyExists`, `OperationAborted`,
///   `PreconditionFailed`, `ReplicatedWriteConflictException`,
///   `ResourceAlreadyExistsException`, `ResourceConflictException`,
///   `ResourceInUseException`, `TransactionCanceledException`
/// - `internal`: `InternalError`, `InternalErrorException`, `InternalFailure`,
///   `InternalServerError`, `InternalServerException`, `ServiceException`
/// - `invalid`: `BadRequestException`, `EntityTooLarge`,
///   `InvalidParameterCombination`, `InvalidParameterException`,
///   `InvalidParameterValue`, `InvalidParameterValueException`,
///   `InvalidRequestException`, `MalformedHttpRequestException`,
///   `MissingParameter`, `RequestEntityTooLargeException`,
///   `SerializationException`, `UnknownOperationException`, `ValidationError`,
///   `ValidationException`
/// - `not_found`: `AWS.SimpleQueueService.NonExistentQueue`, `NoSuchBucket`,
///   `NoSuchEntity`, `NoSuchKey`, `NoSuchUpload`, `NotFoundException`,
///   `QueueDoesNotExist`, `ResourceNotFoundException`
/// - `permission_denied`: `AccessDenied`, `AccessDeniedException`,
///   `NotAuthorized`, `OptInRequired`, `SubscriptionRequiredException`,
///   `UnauthorizedOperation`
/// - `quota_exhausted`: `ServiceQuotaExceededException`
/// - `rate_limited`: `BandwidthLimitExceeded`, `EC2ThrottledException`,
///   `LimitExceededException`, `PriorRequestNotComplete`,
///   `ProvisionedThroughputExceededException`, `RequestLimitExceeded`,
///   `RequestThrottled`, `RequestThrottledException`, `SlowDown`,
///   `ThrottledException`, `Throttling`, `ThrottlingException`,
///   `TooManyRequestsException`, `TransactionInProgressException`
/// - `token_expired`: `ExpiredToken`, `ExpiredTokenException`
/// - `unauthenticated`: `IncompleteSignature`, `IncompleteSignatureException`,
///   `InvalidAccessKeyId`, `InvalidClientTokenId`, `InvalidSignatureException`,
///   `InvalidToken`, `MissingAuthenticationToken`,
///   `MissingAuthenticationTokenException`, `RequestExpired`,
///   `RequestTimeTooSkewed`, `SignatureDoesNotMatch`,
///   `UnrecognizedClientException`
/// - `unavailable`: `IDPCommunicationError`, `RequestTimeout`,
///   `RequestTimeoutException`, `ServiceUnavailable`,
///   `ServiceUnavailableException`
#[must_use]
pub fn aws_json() -> Dialect {
    AWS_JSON.dialect()
}

pub(super) static AWS_JSON: Shipped = Shipped::new("aws-json", include_str!("../../dialects/aws-json.toml"));

/// Returns the dialect of AWS.
///
/// A body or header may signal an error on a success status.
///
/// # Codes
/// Those of [`aws_json`](super::aws_json), and:
///
/// - `conflict`: `AWS.SimpleQueueService.PurgeQueueInProgress`,
///   `AWS.SimpleQueueService.QueueDeletedRecently`, `BucketNotEmpty`,
///   `ConditionalRequestConflict`, `DeleteConflict`, `DependencyViolation`,
///   `EndpointDisabled`, `EntityTemporarilyUnmodifiable`,
///   `IdempotentParameterMismatch`, `IncorrectInstanceState`, `IncorrectState`,
///   `InvalidBucketState`, `InvalidObjectState`, `QueueAlreadyExists`,
///   `RestoreAlreadyInProgress`
/// - `internal`: `KMSInternalException`, `ServiceFailure`
/// - `invalid`: `AuthorizationHeaderMalformed`, `BadDigest`, `EntityTooSmall`,
///   `IllegalLocationConstraintException`, `IncompleteBody`, `InvalidArgument`,
///   `InvalidBucketName`, `InvalidDigest`, `InvalidParameter`, `InvalidPart`,
///   `InvalidPartOrder`, `InvalidRange`, `InvalidRequest`, `KeyTooLongError`,
///   `MalformedPolicyDocument`, `MalformedXML`, `MetadataTooLarge`,
///   `MethodNotAllowed`, `MissingContentLength`, `NotImplemented`,
///   `PermanentRedirect`
/// - `not_found`: `NotFound`, `ReceiptHandleIsInvalid`
/// - `permission_denied`: `AccountProblem`, `AllAccessDisabled`,
///   `AuthorizationError`, `Blocked`, `InvalidPayer`, `NotSignedUp`,
///   `PendingVerification`, `RegionDisabledException`
/// - `quota_exhausted`: `LimitExceeded`, `TooManyBuckets`
/// - `rate_limited`: `Busy`, `KMS.ThrottlingException`, `OverLimit`,
///   `TooManyRequests`
/// - `token_expired`: `ExpiredIdentityToken`, `RequestExpired`,
///   `TokenRefreshRequired`
/// - `unauthenticated`: `AuthFailure`, `CredentialsNotSupported`,
///   `IDPRejectedClaim`, `InvalidIdentityToken`, `InvalidSecurity`
/// - `unavailable`: `Unavailable`
#[must_use]
pub fn aws_xml() -> Dialect {
    AWS_XML.dialect()
}

pub(super) static AWS_XML: Shipped =
    Shipped::new("aws-xml", include_str!("../../dialects/aws-xml.toml")).extending(&AWS_JSON);

/// Returns the dialect of Azure.
///
/// The signals of [`oauth2`](super::oauth2) hold.
///
/// # Codes
/// Those of [`oauth2`](super::oauth2), and:
///
/// - `conflict`: `AccountAlreadyExists`, `AccountBeingCreated`,
///   `AnotherOperationInProgress`, `BlobAlreadyExists`, `ConditionNotMet`,
///   `ContainerAlreadyExists`, `ContainerBeingDeleted`, `LeaseAlreadyPresent`,
///   `LeaseIdMissing`, `MissingSubscriptionRegistration`, `RetryableError`,
///   `RetryableErrorDueToAnotherOperation`, `TableAlreadyExists`
/// - `internal`: `InternalError`, `InternalServerError`
/// - `not_found`: `BlobNotFound`, `ContainerNotFound`,
///   `ParentResourceNotFound`, `QueueNotFound`, `ResourceGroupNotFound`,
///   `ResourceNotFound`, `ShareNotFound`, `SubscriptionNotFound`,
///   `TableNotFound`
/// - `permission_denied`: `AccountIsDisabled`, `AuthorizationFailed`,
///   `AuthorizationFailure`, `AuthorizationPermissionMismatch`,
///   `InsufficientAccountPermissions`, `LinkedAuthorizationFailed`
/// - `quota_exhausted`: `QuotaExceeded`
/// - `rate_limited`: `SubscriptionRequestsThrottled`, `TooManyRequests`
/// - `rejected`: `RequestDisallowedByPolicy`, `SkuNotAvailable`
/// - `token_expired`: `ExpiredAuthenticationToken`
/// - `unauthenticated`: `AuthenticationFailed`,
///   `InvalidAuthenticationTokenTenant`, `NoAuthenticationInformation`
/// - `unavailable`: `AllocationFailed`, `OperationTimedOut`, `ServerBusy`,
///   `ZonalAllocationFailed`
#[must_use]
pub fn azure() -> Dialect {
    AZURE.dialect()
}

pub(super) static AZURE: Shipped =
    Shipped::new("azure", include_str!("../../dialects/azure.toml")).extending(&super::OAUTH2);

/// Returns the dialect of Cloudflare.
///
/// A body or header may signal an error on a success status.
///
/// # Codes
/// - `invalid`: `6003`
/// - `not_found`: `7003`
/// - `rate_limited`: `10429`, `971`
/// - `unauthenticated`: `10000`, `9109`
#[must_use]
pub fn cloudflare() -> Dialect {
    CLOUDFLARE.dialect()
}

pub(super) static CLOUDFLARE: Shipped = Shipped::new("cloudflare", include_str!("../../dialects/cloudflare.toml"));

/// Returns the dialect of Elasticsearch.
///
/// The status signals an error.
///
/// # Codes
/// - `conflict`: `resource_already_exists_exception`,
///   `version_conflict_engine_exception`
/// - `invalid`: `action_request_validation_exception`,
///   `document_parsing_exception`, `illegal_argument_exception`,
///   `mapper_parsing_exception`, `parsing_exception`, `query_shard_exception`,
///   `too_many_buckets_exception`, `x_content_parse_exception`
/// - `not_found`: `document_missing_exception`, `index_not_found_exception`,
///   `resource_not_found_exception`, `search_context_missing_exception`
/// - `rate_limited`: `es_rejected_execution_exception`
/// - `unavailable`: `circuit_breaking_exception`,
///   `master_not_discovered_exception`, `no_shard_available_action_exception`,
///   `process_cluster_event_timeout_exception`, `unavailable_shards_exception`
#[must_use]
pub fn elasticsearch() -> Dialect {
    ELASTICSEARCH.dialect()
}

pub(super) static ELASTICSEARCH: Shipped =
    Shipped::new("elasticsearch", include_str!("../../dialects/elasticsearch.toml"));

/// Returns the dialect of Google APIs.
///
/// A body or header may signal an error on a success status.
///
/// # Codes
/// Those of [`oauth2`](super::oauth2), and:
///
/// - `conflict`: `ABORTED`, `ALREADY_EXISTS`, `FAILED_PRECONDITION`
/// - `internal`: `DATA_LOSS`, `INTERNAL`, `UNKNOWN_ERROR`
/// - `invalid`: `INVALID_ARGUMENT`, `INVALID_REQUEST`, `OUT_OF_RANGE`,
///   `UNIMPLEMENTED`
/// - `not_found`: `NOT_FOUND`
/// - `permission_denied`: `PERMISSION_DENIED`, `REQUEST_DENIED`
/// - `quota_exhausted`: `OVER_DAILY_LIMIT`
/// - `rate_limited`: `OVER_QUERY_LIMIT`, `RESOURCE_EXHAUSTED`
/// - `unavailable`: `CANCELLED`, `DEADLINE_EXCEEDED`, `UNAVAILABLE`,
///   `backendError`
/// - `unknown`: `UNKNOWN`
#[must_use]
pub fn google() -> Dialect {
    GOOGLE.dialect()
}

pub(super) static GOOGLE: Shipped =
    Shipped::new("google", include_str!("../../dialects/google.toml")).extending(&super::OAUTH2);

/// Returns the dialect of Hasura.
///
/// The signals of [`graphql`](super::graphql) hold.
///
/// # Codes
/// Those of [`graphql`](super::graphql), and:
///
/// - `conflict`: `already-exists`, `already-tracked`, `already-untracked`,
///   `conflict`, `constraint-violation`, `dependency-error`
/// - `internal`: `postgres-error`, `unexpected`
/// - `invalid`: `bad-request`, `coercion-error`, `constraint-error`,
///   `cyclic-dependency`, `data-exception`, `invalid-configuration`,
///   `invalid-headers`, `invalid-json`, `invalid-params`, `method-not-allowed`,
///   `not-supported`, `parse-failed`, `unexpected-payload`, `validation-failed`
/// - `not_found`: `not-exists`, `not-found`
/// - `permission_denied`: `permission-denied`, `permission-error`
/// - `unauthenticated`: `access-denied`, `jwt-invalid-claims`,
///   `jwt-missing-role-claims`
/// - `unavailable`: `busy`, `postgres-max-connections-error`,
///   `remote-schema-error`
#[must_use]
pub fn hasura() -> Dialect {
    HASURA.dialect()
}

pub(super) static HASURA: Shipped =
    Shipped::new("hasura", include_str!("../../dialects/hasura.toml")).extending(&super::GRAPHQL);

/// Returns the dialect of Kubernetes.
///
/// A body or header may signal an error on a success status.
///
/// # Codes
/// - `conflict`: `AlreadyExists`, `Conflict`
/// - `internal`: `InternalError`, `StorageReadError`
/// - `invalid`: `BadRequest`, `Invalid`, `MethodNotAllowed`, `NotAcceptable`,
///   `RequestEntityTooLarge`, `UnsupportedMediaType`
/// - `not_found`: `Expired`, `Gone`, `NotFound`
/// - `permission_denied`: `Forbidden`
/// - `rate_limited`: `TooManyRequests`
/// - `unavailable`: `ServerTimeout`, `ServiceUnavailable`, `Timeout`
#[must_use]
pub fn kubernetes() -> Dialect {
    KUBERNETES.dialect()
}

pub(super) static KUBERNETES: Shipped = Shipped::new("kubernetes", include_str!("../../dialects/kubernetes.toml"));

/// Returns the dialect of Microsoft Graph.
///
/// The signals of [`oauth2`](super::oauth2) hold.
///
/// # Codes
/// Those of [`oauth2`](super::oauth2), and:
///
/// - `conflict`: `Directory_ConcurrencyViolation`, `entityTagDoesNotMatch`,
///   `lockMismatch`, `lockNotFoundOrAlreadyExpired`, `lockOwnerMismatch`,
///   `nameAlreadyExists`, `resourceModified`, `uploadSessionFailed`,
///   `uploadSessionIncomplete`
/// - `internal`: `Service_InternalServerError`, `generalException`
/// - `invalid`: `Directory_ResultSizeLimitExceeded`, `Request_BadRequest`,
///   `Request_DataContractVersionMissing`, `Request_UnsupportedQuery`,
///   `invalidRange`, `invalidRequest`, `notSupported`
/// - `not_found`: `Directory_ObjectNotFound`, `ErrorItemNotFound`,
///   `Request_ResourceNotFound`, `itemNotFound`, `resyncRequired`,
///   `syncStateNotFound`, `uploadSessionNotFound`
/// - `permission_denied`: `Authorization_RequestDenied`, `ErrorAccessDenied`,
///   `Forbidden`, `accessDenied`, `accessRestricted`, `notAllowed`
/// - `quota_exhausted`: `Directory_QuotaExceeded`, `quotaLimitReached`
/// - `rate_limited`: `Request_ThrottledTemporarily`, `TooManyRequests`,
///   `activityLimitReached`, `throttledRequest`
/// - `rejected`: `childItemCountExceeded`, `extensionError`, `malwareDetected`,
///   `maxFileSizeExceeded`
/// - `token_expired`: `Authentication_ExpiredToken`
/// - `unauthenticated`: `Authentication_MissingOrMalformed`,
///   `Authentication_Unauthorized`, `Authorization_IdentityDisabled`,
///   `Authorization_IdentityNotFound`, `InvalidAuthenticationToken`,
///   `insufficient_claims`, `unauthenticated`
/// - `unavailable`: `cannotSnapshotTree`, `resourceBeingProvisioned`,
///   `serviceNotAvailable`, `serviceReadOnly`
#[must_use]
pub fn microsoft_graph() -> Dialect {
    MICROSOFT_GRAPH.dialect()
}

pub(super) static MICROSOFT_GRAPH: Shipped =
    Shipped::new("microsoft-graph", include_str!("../../dialects/microsoft-graph.toml")).extending(&super::OAUTH2);

/// Returns the dialect of Okta.
///
/// The status signals an error.
///
/// # Codes
/// - `conflict`: `E0000016`, `E0000038`, `E0000079`, `E0000112`, `E0000155`,
///   `E0000157`
/// - `internal`: `E0000009`
/// - `invalid`: `E0000001`, `E0000002`, `E0000003`, `E0000022`, `E0000060`,
///   `invalid_request`, `invalid_scope`
/// - `not_found`: `E0000007`, `E0000008`, `E0000048`
/// - `permission_denied`: `E0000006`, `E0000013`, `E0000015`,
///   `insufficient_scope`
/// - `quota_exhausted`: `E0000146`, `E0000147`
/// - `rate_limited`: `E0000047`, `E0000109`, `E0000118`, `E0000133`,
///   `E0000150`, `E0000151`
/// - `rejected`: `E0000014`, `E0000068`, `E0000069`, `E0000073`, `E0000080`,
///   `E0000082`, `E0000083`, `E0000087`, `E0000105`, `E0000110`, `E0000119`
/// - `token_expired`: `invalid_token`
/// - `unauthenticated`: `E0000004`, `E0000005`, `E0000011`, `E0000058`,
///   `E0000064`, `E0000092`, `invalid_client`, `invalid_grant`
/// - `unavailable`: `E0000010`, `E0000138`, `E0000139`
#[must_use]
pub fn okta() -> Dialect {
    OKTA.dialect()
}

pub(super) static OKTA: Shipped = Shipped::new("okta", include_str!("../../dialects/okta.toml"));
