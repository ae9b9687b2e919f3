//! The MPS2 board with a Cortex-M33, the processor of an nRF9160. The firmware is its secure side.

/// The processor's clock in hertz.
pub(crate) const CLOCK: u32 = 20_000_000;
/// The registers of the Ethernet controller.
pub(crate) const ETHERNET: usize = 0x4200_0000;
/// Those of the board's own bits and pieces, a counter among them.
pub(crate) const FPGA_IO: usize = 0x4030_2000;
