//! Ways through the network.

mod tree;

pub(crate) use tree::Tree;

use crate::network::NodeId;

/// How packets find their way over several hops.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Routing {
    /// Everyone hears the border router.
    #[default]
    Star,
    /// Along these parents, by node.
    Static(Vec<Option<NodeId>>),
    /// Along the tree of fewest expected transmissions, computed before the run from the links as they are.
    ShortestPaths,
}
