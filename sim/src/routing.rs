//! Ways through the network.

mod registration;
mod rpl;
mod tree;

pub(crate) use registration::Registration;
pub(crate) use rpl::{Action, Rpl, Timer};
pub use rpl::{Objective, RplConfig};
pub(crate) use tree::Tree;

use sedge_time::Instant;

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
    /// Along a tree that the nodes form and keep by messages.
    Rpl(RplConfig),
}

/// The ways of a network.
#[derive(Debug)]
pub(crate) enum Routes {
    Tree(Tree),
    Rpl(Box<Rpl>),
}

impl Routes {
    pub(crate) fn parent(&self, node: NodeId) -> Option<NodeId> {
        match self {
            Self::Tree(tree) => tree.parent(node),
            Self::Rpl(rpl) => rpl.parent(node),
        }
    }

    /// The next node on the way to `target`, of a packet that came from a neighbour or from here.
    pub(crate) fn next_hop(
        &mut self,
        now: Instant,
        node: NodeId,
        from: Option<NodeId>,
        target: NodeId,
    ) -> Option<NodeId> {
        match self {
            Self::Tree(tree) => tree.next_hop(node, target),
            Self::Rpl(rpl) => rpl.next_hop(now, node, from, target),
        }
    }
}
