//! The MPS2 board with a Cortex-M4, the processor of an nRF52840.

/// The processor's clock in hertz.
pub(crate) const CLOCK: u32 = 25_000_000;
/// The registers of the Ethernet controller.
pub(crate) const ETHERNET: usize = 0x4020_0000;
/// Those of the board's own bits and pieces, a counter among them.
pub(crate) const FPGA_IO: usize = 0x4002_8000;
