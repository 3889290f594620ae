//! `meta.properties`: whose directory it is (Kafka class `MetaProperties`).

use std::collections::BTreeMap;

use super::directory::{DirectoryError, LogDirectory, META_PROPERTIES_FILE};
use crate::ids::{BrokerId, TopicId};

/// Identity of cluster, node and directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MetaProperties {
    /// The cluster.
    pub cluster_id: String,
    /// The node.
    pub node_id: BrokerId,
    /// The directory, told apart from all others for ever; none in files that older releases wrote.
    pub directory_id: Option<TopicId>,
}

impl MetaProperties {
    /// The content of the file; `date` is for people.
    #[must_use]
    pub fn format(&self, date: &str) -> String {
        let directory = self.directory_id.map_or_else(String::new, |id| format!("directory.id={id}\n"));
        let cluster = escaped(&self.cluster_id);
        format!("#\n#{date}\ncluster.id={cluster}\n{directory}node.id={}\nversion=1\n", self.node_id)
    }

    /// Reads the content of the file; the error says what is wrong with it.
    pub fn parse(content: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(content).map_err(|_| "not UTF-8".to_owned())?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', '!']));
        let mut values = BTreeMap::new();
        for line in lines {
            let (key, value) = line.split_once(['=', ':']).ok_or_else(|| format!("«{line}» has no value"))?;
            values.insert(key.trim(), value.trim().replace('\\', ""));
        }
        let mut take = |key: &str| values.remove(key).ok_or_else(|| format!("{key} is missing"));
        let version = take("version")?;
        if version != "1" {
            return Err(format!("version is {version}; only version 1 is used without ZooKeeper"));
        }
        let node_id = take("node.id")?;
        let node_id = node_id.parse().map_err(|_| format!("node.id is {node_id}, which is no number"))?;
        let cluster_id = take("cluster.id")?;
        let directory_id = match take("directory.id") {
            Ok(text) => Some(TopicId::parse(&text).ok_or_else(|| format!("directory.id is {text}, which is no id"))?),
            Err(_) => None,
        };
        Ok(Self { cluster_id, node_id: BrokerId(node_id), directory_id })
    }
}

/// Java reads a backslash before what would end a key.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('=', "\\=").replace(':', "\\:").replace('#', "\\#")
}

impl LogDirectory {
    /// Whose directory it is; none when it was never formatted.
    pub fn meta_properties(&self) -> Result<Option<MetaProperties>, DirectoryError> {
        let Some(content) = self.read_small(META_PROPERTIES_FILE)? else { return Ok(None) };
        let file = format!("{}/{META_PROPERTIES_FILE}", self.describe());
        MetaProperties::parse(&content).map(Some).map_err(|reason| DirectoryError::Malformed { file, reason })
    }

    /// Says whose directory it is, durably. Blocks.
    pub fn write_meta_properties(&self, properties: &MetaProperties, date: &str) -> Result<(), DirectoryError> {
        self.replace(META_PROPERTIES_FILE, properties.format(date).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kafkas_file_is_understood_and_ours_survives() {
        let kafka = b"#\n#Fri Jul 03 10:00:00 UTC 2026\nnode.id=1\ndirectory.id=AAAAAAAAAAAAAAAAAAAAZA\nversion=1\ncluster.id=MkU3OEVBNTcwNTJENDM2Qg\n";
        let parsed = MetaProperties::parse(kafka).unwrap();
        assert_eq!(parsed.node_id, BrokerId(1));
        assert_eq!(parsed.cluster_id, "MkU3OEVBNTcwNTJENDM2Qg");
        assert_eq!(parsed.directory_id.unwrap().to_string(), "AAAAAAAAAAAAAAAAAAAAZA");
        assert_eq!(MetaProperties::parse(parsed.format("today").as_bytes()), Ok(parsed));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, reason) in [
            ("version=0\nbroker.id=1\n", "version is 0"),
            ("version=1\n", "node.id is missing"),
            ("version=1\nnode.id=x\n", "no number"),
            ("version=1\nnode.id=1\n", "cluster.id is missing"),
            ("version=1\nnode.id=1\ncluster.id=c\ndirectory.id=d\n", "directory.id is d"),
            ("version\n", "no value"),
        ] {
            let error = MetaProperties::parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }
}
