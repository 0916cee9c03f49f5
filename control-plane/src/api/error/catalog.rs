//! The catalog: every code with its status in each API and the title of its page under `docs/reference/errors/`.
//!
//! A code is for ever. Adding one means adding its page; a test holds both sides together.

use tonic::Code as Grpc;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, $http:literal, $grpc:ident, exit $exit:literal, $title:literal;)+) => {
        /// What went wrong, by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Code {
            /// Every code, alphabetically.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name in every API and the name of its page.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The HTTP status.
            #[must_use]
            pub const fn http_status(self) -> u16 {
                match self { $(Self::$variant => $http,)+ }
            }

            /// The gRPC code.
            #[must_use]
            pub const fn grpc(self) -> Grpc {
                match self { $(Self::$variant => Grpc::$grpc,)+ }
            }

            /// The exit code of the command line.
            #[must_use]
            pub const fn exit(self) -> u8 {
                match self { $(Self::$variant => $exit,)+ }
            }

            /// A few words for a heading.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)+ }
            }
        }
    };
}

codes! {
    /// Two machines hold one identity.
    AgentDuplicate = "AGENT_DUPLICATE", 409, FailedPrecondition, exit 6, "Two agents with one identity";
    /// A person revoked the agent.
    AgentRevoked = "AGENT_REVOKED", 403, PermissionDenied, exit 5, "The agent was revoked";
    /// Nobody here knows the agent.
    AgentUnknown = "AGENT_UNKNOWN", 401, Unauthenticated, exit 4, "The agent is unknown";
    /// The request is larger than allowed.
    BodyTooLarge = "BODY_TOO_LARGE", 413, InvalidArgument, exit 2, "The request is too large";
    /// The certificate ended.
    CertificateExpired = "CERTIFICATE_EXPIRED", 401, Unauthenticated, exit 4, "The certificate has expired";
    /// A request by cookie without the header that a foreign page cannot send.
    CsrfRequired = "CSRF_REQUIRED", 403, PermissionDenied, exit 5, "The request may come from another site";
    /// It took too long.
    DeadlineExceeded = "DEADLINE_EXCEEDED", 504, DeadlineExceeded, exit 8, "It took too long";
    /// The asked moment lies before what is kept.
    HistoryExpired = "HISTORY_EXPIRED", 410, OutOfRange, exit 3, "History does not reach back that far";
    /// The request names a host that is not this one.
    HostRefused = "HOST_REFUSED", 421, PermissionDenied, exit 5, "The request is for another host";
    /// The first request with this key is still running.
    IdempotencyInProgress = "IDEMPOTENCY_IN_PROGRESS", 409, Aborted, exit 6, "The first request is still running";
    /// The key came with another request before.
    IdempotencyReused = "IDEMPOTENCY_REUSED", 422, AlreadyExists, exit 6, "The key belongs to another request";
    /// Something of ours is broken.
    Internal = "INTERNAL", 500, Internal, exit 1, "Something is broken inside";
    /// Name or password is wrong.
    LoginFailed = "LOGIN_FAILED", 401, Unauthenticated, exit 4, "Name or password is wrong";
    /// A record or frame of an agent could not be decoded.
    Malformed = "MALFORMED", 400, InvalidArgument, exit 2, "The message cannot be decoded";
    /// The path has no such method.
    MethodNotAllowed = "METHOD_NOT_ALLOWED", 405, Unimplemented, exit 2, "The path has no such method";
    /// There is no such thing.
    NotFound = "NOT_FOUND", 404, NotFound, exit 3, "There is no such thing";
    /// The page token belongs to another question.
    PageTokenMismatch = "PAGE_TOKEN_MISMATCH", 400, InvalidArgument, exit 2, "The page token belongs to another question";
    /// The right is missing.
    PermissionDenied = "PERMISSION_DENIED", 403, PermissionDenied, exit 5, "The right is missing";
    /// Agent and control plane have no protocol version in common.
    ProtocolUnsupported = "PROTOCOL_UNSUPPORTED", 400, FailedPrecondition, exit 6, "No protocol version in common";
    /// A frame of an agent came at the wrong time.
    ProtocolViolated = "PROTOCOL_VIOLATED", 400, InvalidArgument, exit 2, "A message came at the wrong time";
    /// The query cannot be parsed or does not fit the schema.
    QuerySyntax = "QUERY_SYNTAX", 400, InvalidArgument, exit 2, "The query cannot be understood";
    /// The query is too deep, too wide or too costly.
    QueryTooCostly = "QUERY_TOO_COSTLY", 429, ResourceExhausted, exit 9, "The query is too costly";
    /// Too many requests.
    RateLimited = "RATE_LIMITED", 429, ResourceExhausted, exit 9, "Too many requests";
    /// A batch does not continue the chain.
    SequenceBroken = "SEQUENCE_BROKEN", 409, FailedPrecondition, exit 6, "The sequence of batches is broken";
    /// The setup code is wrong.
    SetupCodeWrong = "SETUP_CODE_WRONG", 401, Unauthenticated, exit 4, "The setup code is wrong";
    /// Somebody is set up already.
    SetupDone = "SETUP_DONE", 409, FailedPrecondition, exit 6, "The control plane is set up already";
    /// The signing request is no usable one.
    SigningRequestInvalid = "SIGNING_REQUEST_INVALID", 422, InvalidArgument, exit 2, "The signing request is invalid";
    /// The agent reports a source that is not its own.
    SourceNotAssigned = "SOURCE_NOT_ASSIGNED", 403, PermissionDenied, exit 5, "The source is not assigned to the agent";
    /// The subscriber is too far behind.
    SubscriptionLagged = "SUBSCRIPTION_LAGGED", 410, OutOfRange, exit 6, "The subscription is too far behind";
    /// The token's time has passed.
    TokenExpired = "TOKEN_EXPIRED", 401, Unauthenticated, exit 4, "The token has expired";
    /// The token is no token of this control plane.
    TokenInvalid = "TOKEN_INVALID", 401, Unauthenticated, exit 4, "The token is not valid";
    /// A person revoked the token.
    TokenRevoked = "TOKEN_REVOKED", 401, Unauthenticated, exit 4, "The token was revoked";
    /// As many agents joined by the token as may.
    TokenUsedUp = "TOKEN_USED_UP", 401, Unauthenticated, exit 4, "The token is used up";
    /// Nobody is logged in.
    Unauthenticated = "UNAUTHENTICATED", 401, Unauthenticated, exit 4, "Nobody is logged in";
    /// It cannot answer now.
    Unavailable = "UNAVAILABLE", 503, Unavailable, exit 8, "It cannot answer now";
    /// The request is understood and wrong.
    ValidationFailed = "VALIDATION_FAILED", 422, InvalidArgument, exit 2, "The request is not valid";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    #[test]
    fn every_code_has_a_page_and_every_page_has_a_code() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/errors");
        let pages: BTreeSet<String> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter_map(|name| name.strip_suffix(".md").map(str::to_owned))
            .filter(|name| name != "README")
            .collect();
        let codes: BTreeSet<String> = Code::ALL.iter().map(|code| code.name().to_owned()).collect();
        assert_eq!(pages, codes);
        for code in Code::ALL {
            let page = std::fs::read_to_string(folder.join(format!("{}.md", code.name()))).unwrap();
            for heading in ["## Cause", "## Consequence", "## Remedy"] {
                assert!(page.contains(heading), "{} lacks {heading}", code.name());
            }
            assert!(page.contains(code.title()), "{} lacks its title", code.name());
        }
    }

    #[test]
    fn codes_stand_in_alphabetical_order_and_once() {
        let names: Vec<_> = Code::ALL.iter().map(|code| code.name()).collect();
        let sorted: BTreeSet<_> = names.iter().copied().collect();
        assert_eq!(names, sorted.into_iter().collect::<Vec<_>>());
    }
}
