//! Where data lies.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::DataError;
use crate::source::place_of;

/// Object stores, as the head of a URL names them.
const SCHEMES: [&str; 10] = ["s3", "s3a", "gs", "az", "azure", "adl", "abfs", "abfss", "http", "https"];

/// A path on this machine, or a path in an object store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Location {
    /// A file or folder of this machine.
    Local(PathBuf),
    /// An object, or what begins the names of several.
    Remote {
        /// The store: `s3://bucket`, `https://host:port`.
        base: String,
        /// The path in it, without a slash at either end. Not percent-encoded.
        path: String,
    },
}

impl Location {
    /// Reads a plain path, `file:///path`, or a URL that begins with `s3`, `gs`, `az`, `abfs`, `http` or `https`. Paths
    /// are taken as they are: nothing in them is percent-encoded.
    ///
    /// # Errors
    /// [`DataError::Malformed`] for any other URL.
    pub fn parse(text: &str) -> Result<Self, DataError> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Ok(Location::Local(PathBuf::from(text)));
        };
        let refuse = |found: &str, help| malformed(text, found, help);
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        match scheme {
            "file" if rest.starts_with('/') => Ok(Location::Local(PathBuf::from(rest))),
            "file" => Err(refuse("a file URL that names a machine", "write `file:///path`, with three slashes")),
            _ if !SCHEMES.contains(&scheme) => Err(refuse("an unknown kind of URL", "see that it is spelt right")),
            _ if host.is_empty() => Err(refuse("a URL without a bucket or host", "write `s3://bucket/path`")),
            "http" | "https" if path.contains(['?', '#']) => {
                Err(refuse("a web address with a query", "give addresses without `?` and `#`, or download the files"))
            }
            _ => Ok(Location::Remote { base: format!("{scheme}://{host}"), path: path.trim_matches('/').to_string() }),
        }
    }

    /// What lies at `path` below this; a URL or an absolute path stands for itself.
    ///
    /// # Errors
    /// Those of [`Location::parse`].
    pub fn join(&self, path: &str) -> Result<Self, DataError> {
        match self {
            _ if path.contains("://") => Location::parse(path),
            Location::Local(folder) => Ok(Location::Local(folder.join(path))),
            Location::Remote { base, path: folder } => {
                let path = [folder, path.trim_matches('/')].into_iter().filter(|part| !part.is_empty());
                Ok(Location::Remote { base: base.clone(), path: path.collect::<Vec<_>>().join("/") })
            }
        }
    }

    /// The folder that this lies in.
    pub fn parent(&self) -> Self {
        match self {
            Location::Local(path) => Location::Local(path.parent().unwrap_or(Path::new("")).to_path_buf()),
            Location::Remote { base, path } => {
                let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                Location::Remote { base: base.clone(), path: folder.to_string() }
            }
        }
    }

    /// Where this lies as seen from `folder`, with slashes; the whole place where it does not lie there.
    pub fn below(&self, folder: &Location) -> String {
        let (whole, folder) = (self.to_string(), folder.to_string());
        let inner = match folder.as_str() {
            "." => Some(whole.as_str()),
            folder => whole
                .strip_prefix(folder)
                .and_then(|rest| rest.strip_prefix('/').or(folder.ends_with('/').then_some(rest))),
        };
        inner.unwrap_or(&whole).to_string()
    }

    /// The path, if it is one of this machine.
    pub fn local(&self) -> Option<&Path> {
        match self {
            Location::Local(path) => Some(path),
            Location::Remote { .. } => None,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Local(path) => f.write_str(&place_of(path)),
            Location::Remote { base, path } if path.is_empty() => f.write_str(base),
            Location::Remote { base, path } => write!(f, "{base}/{path}"),
        }
    }
}

fn malformed(place: &str, found: &str, help: &'static str) -> DataError {
    DataError::Malformed {
        place: place.to_string(),
        found: found.to_string(),
        expected: "a path, or a URL that begins with file, s3, gs, az, abfs, http or https".to_string(),
        help,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_urls_are_told_apart_and_shown_as_they_were() {
        for (text, shown) in [
            ("data//x.tar", "data/x.tar"),
            ("/data/x.tar", "/data/x.tar"),
            ("file:///data/x.tar", "/data/x.tar"),
            ("s3://bucket/a/b c/", "s3://bucket/a/b c"),
            ("s3://bucket", "s3://bucket"),
            ("gs://bucket/a", "gs://bucket/a"),
            ("abfss://c@account.dfs.core.windows.net/a", "abfss://c@account.dfs.core.windows.net/a"),
            ("http://127.0.0.1:80/a", "http://127.0.0.1:80/a"),
        ] {
            assert_eq!(Location::parse(text).unwrap().to_string(), shown);
        }
        assert!(Location::parse("a/b").unwrap().local().is_some());
        assert!(Location::parse("s3://a/b").unwrap().local().is_none());
    }

    #[test]
    fn other_urls_are_refused_with_advice() {
        for (text, part) in [
            ("ftp://host/a", "unknown kind of URL"),
            ("file://host/a", "three slashes"),
            ("s3:///a", "without a bucket"),
            ("https://host/a?b", "with a query"),
        ] {
            let message = Location::parse(text).unwrap_err().to_string();
            assert!(message.contains(part) && message.contains(text), "{message}");
        }
    }

    #[test]
    fn places_are_joined_and_taken_apart() {
        for folder in ["/a", "s3://b/a", "s3://b", "."] {
            let folder = Location::parse(folder).unwrap();
            let inner = folder.join("x/y.png").unwrap();
            assert_eq!(inner.below(&folder), "x/y.png");
            assert_eq!(inner.parent(), folder.join("x").unwrap());
            assert_eq!(folder.join("s3://c/d").unwrap().to_string(), "s3://c/d");
        }
        let outside = Location::parse("/ab/c").unwrap();
        assert_eq!(outside.below(&Location::parse("/a").unwrap()), "/ab/c");
    }
}
