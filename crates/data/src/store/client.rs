//! Clients of object stores, made of a URL and of settings as environment variables give them.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::http::HttpBuilder;
use object_store::{ClientOptions, Error, ObjectStore, RetryConfig};

use crate::DataError;

/// What the names of settings begin with; other variables of the environment are none of ours.
const PREFIXES: [&str; 3] = ["AWS_", "GOOGLE_", "AZURE_"];
/// What is kept of what a server says.
const LONGEST: usize = 300;

/// Settings of the environment. Variables that are no text are left out.
pub(super) fn environment() -> Vec<(String, String)> {
    let texts =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    texts.filter(|(name, _)| PREFIXES.iter().any(|prefix| name.starts_with(prefix))).collect()
}

/// A client for the store at `base`.
pub(super) fn client(base: &str, settings: &[(String, String)]) -> Result<Arc<dyn ObjectStore>, DataError> {
    /// Keys that a store does not know are those of another.
    macro_rules! set {
        ($builder:expr) => {{
            let builder = $builder.with_url(base).with_client_options(timeouts()).with_retry(retries());
            let set = settings.iter().fold(builder, |builder, (name, value)| match name.to_ascii_lowercase().parse() {
                Ok(key) => builder.with_config(key, value),
                Err(_) => builder,
            });
            set.build().map(|store| Arc::new(store) as Arc<dyn ObjectStore>)
        }};
    }
    let made = match base.split("://").next() {
        Some("s3" | "s3a") => set!(AmazonS3Builder::new()),
        Some("gs") => set!(GoogleCloudStorageBuilder::new()),
        Some("http" | "https") => {
            let options = timeouts().with_allow_http(true);
            let built = HttpBuilder::new().with_url(base).with_client_options(options).with_retry(retries()).build();
            built.map(|store| Arc::new(store) as Arc<dyn ObjectStore>)
        }
        _ => set!(MicrosoftAzureBuilder::new()),
    };
    made.map_err(|error| explained(base, error))
}

fn timeouts() -> ClientOptions {
    let options = ClientOptions::new().with_connect_timeout(Duration::from_secs(10));
    options.with_read_timeout(Duration::from_secs(60)).with_timeout(Duration::from_secs(300))
}

/// About a minute of trying, ever slower.
fn retries() -> RetryConfig {
    RetryConfig { max_retries: 8, retry_timeout: Duration::from_secs(60), ..RetryConfig::default() }
}

/// What a store says, and what to do about it.
///
/// What is known by its kind is told by its kind, at most with the store's word for it: times and numbers of requests
/// would make another dead letter of the same fault at each try.
pub(super) fn explained(place: &str, error: Error) -> DataError {
    let said = everything(&error);
    let (problem, help) = match &error {
        Error::NotFound { .. } if !names_no_bucket(&said) => ("there is no such object", "check the URL"),
        _ if names_no_bucket(&said) => ("there is no such bucket or container", SEE_BUCKET),
        Error::AlreadyExists { .. } => ("there is such an object already", "choose another name"),
        Error::Precondition { .. } => {
            ("it was changed while it was read", "leave the data as it is until the job is done")
        }
        Error::PermissionDenied { .. } => ("no permission", "see what these credentials may do with the bucket"),
        Error::Unauthenticated { .. } => ("the credentials are not accepted", SEE_CREDENTIALS),
        Error::NotSupported { .. } | Error::NotImplemented { .. } => ("this store cannot do that", "use another store"),
        _ if said.contains("PROPFIND") || said.contains("405 Method") => {
            ("this server cannot list", "name the files: by a brace pattern or in a CSV or JSONL list")
        }
        _ => return unclear(place, &said),
    };
    let word = said.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    let problem = word.map_or(problem.to_string(), |(word, _)| format!("{problem} ({word})"));
    DataError::Store { place: place.to_string(), problem, help }
}

/// A fault that may be gone the next time: all that is said counts.
fn unclear(place: &str, said: &str) -> DataError {
    let (problem, help) = if said.contains("169.254.169.254") || said.to_lowercase().contains("credential") {
        ("no credentials were found", SEE_CREDENTIALS)
    } else if is_of_network(said) {
        ("the server cannot be reached", SEE_NETWORK)
    } else {
        ("the request failed", "try again; if that does not help, see what the store says")
    };
    let said: String = said.chars().take(LONGEST).collect();
    DataError::Store { place: place.to_string(), problem: format!("{problem} ({said})"), help }
}

const SEE_BUCKET: &str = "check the first part of the URL, and the region and endpoint (AWS_REGION, AWS_ENDPOINT_URL)";
const SEE_CREDENTIALS: &str = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (AWS_SKIP_SIGNATURE=true for public data), \
     GOOGLE_APPLICATION_CREDENTIALS, or AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY";
const SEE_NETWORK: &str =
    "check the network, the host and the endpoint (AWS_ENDPOINT_URL; plain HTTP needs AWS_ALLOW_HTTP=true)";

fn names_no_bucket(said: &str) -> bool {
    ["NoSuchBucket", "bucket does not exist", "ContainerNotFound"].iter().any(|sign| said.contains(sign))
}

fn is_of_network(said: &str) -> bool {
    let signs = ["error sending request", "connect", "dns", "timed out", "URL scheme is not allowed"];
    signs.iter().any(|sign| said.contains(sign))
}

/// What an error and its causes say, in one line, each once.
fn everything(error: &Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        cause = inner.source();
    }
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::ObjectStoreExt;
    use object_store::path::Path;

    fn failed(source: &str, make: impl Fn(String, Box<dyn std::error::Error + Send + Sync>) -> Error) -> String {
        explained("s3://b/x", make("x".to_string(), source.to_string().into())).to_string()
    }

    #[test]
    fn a_fault_is_told_in_the_same_words_each_time() {
        let said = failed("in 3 ms <Code>AccessDenied</Code><Id>17</Id>", |path, source| Error::PermissionDenied {
            path,
            source,
        });
        assert_eq!(said, "s3://b/x: no permission (AccessDenied); see what these credentials may do with the bucket");
        let said = failed("<Code>NoSuchBucket</Code>", |path, source| Error::NotFound { path, source });
        assert!(said.contains("no such bucket"), "{said}");
        let said = failed("in 7 ms", |path, source| Error::NotFound { path, source });
        assert_eq!(said, "s3://b/x: there is no such object; check the URL");
        let said = failed("no answer from http://169.254.169.254", |_, source| Error::Generic { store: "S3", source });
        assert!(said.contains("no credentials were found") && said.contains("AWS_ACCESS_KEY_ID"), "{said}");
    }

    #[test]
    fn a_server_that_is_not_there_cannot_be_reached() {
        let retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
        let store = HttpBuilder::new().with_url("http://127.0.0.1:1").with_retry(retry);
        let store = store.with_client_options(timeouts().with_allow_http(true)).build().unwrap();
        let asked = super::super::runtime::wait(async move { store.head(&Path::from("x")).await }).unwrap();
        let said = explained("http://127.0.0.1:1/x", asked.unwrap_err()).to_string();
        assert!(said.contains("the server cannot be reached") && said.contains("check the network"), "{said}");
    }

    #[test]
    fn every_kind_of_store_is_made_of_its_url_and_settings() {
        let settings =
            [("AZURE_STORAGE_ACCOUNT_NAME", "a"), ("AWS_REGION", "eu-central-1"), ("GOOGLE_SKIP_SIGNATURE", "true")];
        let settings: Vec<_> = settings.map(|(name, value)| (name.to_string(), value.to_string())).into();
        for (base, kind) in [
            ("s3://b", "AmazonS3"),
            ("gs://b", "GoogleCloudStorage"),
            ("az://c", "MicrosoftAzure"),
            ("https://h", "Http"),
        ] {
            let store = client(base, &settings).unwrap();
            assert!(store.to_string().contains(kind), "{base}: {store}");
        }
    }
}
