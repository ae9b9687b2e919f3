// A cell of IEEE 802.15.4 in ns-3: nodes that each send a UDP datagram to the one in the middle every period and get an
// answer, over 6LoWPAN, with acknowledged frames. No security and no protocol above UDP.
//
//   ns3_cell NODES SECONDS PERIOD RADIUS EXPONENT POWER_DBM REQUEST_BYTES ANSWER_BYTES
//
// Prints one line of JSON.
#include <sys/resource.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "ns3/core-module.h"
#include "ns3/internet-module.h"
#include "ns3/lr-wpan-module.h"
#include "ns3/mobility-module.h"
#include "ns3/propagation-module.h"
#include "ns3/sixlowpan-module.h"
#include "ns3/spectrum-module.h"

using namespace ns3;

namespace {
uint64_t g_sent, g_arrived, g_answered;
uint32_t g_request, g_answer;

void Serve(Ptr<Socket> socket) {
  Address from;
  while (Ptr<Packet> packet = socket->RecvFrom(from)) {
    ++g_arrived;
    socket->SendTo(Create<Packet>(g_answer), 0, from);
  }
}

void Answered(Ptr<Socket> socket) {
  Address from;
  while (Ptr<Packet> packet = socket->RecvFrom(from)) ++g_answered;
}

void Publish(Ptr<Socket> socket, Time period) {
  ++g_sent;
  socket->Send(Create<Packet>(g_request));
  Simulator::Schedule(period, &Publish, socket, period);
}

double CpuSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](timeval time) { return time.tv_sec + time.tv_usec / 1e6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

uint64_t ResidentKb() {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word)
    if (word == "VmRSS:") {
      uint64_t kb;
      status >> kb;
      return kb;
    }
  return 0;
}
}  // namespace

int main(int argc, char** argv) {
  if (argc != 9) {
    fprintf(stderr, "ns3_cell NODES SECONDS PERIOD RADIUS EXPONENT POWER_DBM REQUEST_BYTES ANSWER_BYTES\n");
    return 2;
  }
  const uint32_t devices = atoi(argv[1]);
  const double seconds = atof(argv[2]), period = atof(argv[3]), radius = atof(argv[4]);
  const double exponent = atof(argv[5]), power = atof(argv[6]);
  g_request = atoi(argv[7]);
  g_answer = atoi(argv[8]);
  RngSeedManager::SetSeed(7);
  const uint64_t before = ResidentKb();

  NodeContainer nodes(devices + 1);
  MobilityHelper mobility;
  Ptr<ListPositionAllocator> places = CreateObject<ListPositionAllocator>();
  Ptr<UniformRandomVariable> chance = CreateObject<UniformRandomVariable>();
  places->Add(Vector(0, 0, 0));
  for (uint32_t node = 0; node < devices; ++node) {
    const double distance = radius * std::sqrt(chance->GetValue()), angle = 2 * M_PI * chance->GetValue();
    places->Add(Vector(distance * std::cos(angle), distance * std::sin(angle), 0));
  }
  mobility.SetPositionAllocator(places);
  mobility.SetMobilityModel("ns3::ConstantPositionMobilityModel");
  mobility.Install(nodes);

  LrWpanHelper lrwpan;
  Ptr<SingleModelSpectrumChannel> channel = CreateObject<SingleModelSpectrumChannel>();
  Ptr<LogDistancePropagationLossModel> loss = CreateObject<LogDistancePropagationLossModel>();
  loss->SetPathLossExponent(exponent);
  loss->SetReference(1.0, 40.0);
  channel->AddPropagationLossModel(loss);
  lrwpan.SetChannel(channel);
  NetDeviceContainer radios = lrwpan.Install(nodes);
  LrWpanSpectrumValueHelper spectrum;
  Ptr<SpectrumValue> density = spectrum.CreateTxPowerSpectralDensity(power, 11);
  uint16_t address = 1;
  for (auto radio = radios.Begin(); radio != radios.End(); ++radio, ++address) {
    Ptr<LrWpanNetDevice> device = DynamicCast<LrWpanNetDevice>(*radio);
    device->GetPhy()->SetTxPowerSpectralDensity(density);
    device->GetMac()->SetPanId(1);
    char short_address[6];
    snprintf(short_address, sizeof short_address, "%02x:%02x", address >> 8, address & 0xff);
    device->GetMac()->SetShortAddress(Mac16Address(short_address));
  }

  InternetStackHelper internet;
  internet.SetIpv4StackInstall(false);
  internet.Install(nodes);
  SixLowPanHelper sixlowpan;
  NetDeviceContainer adapted = sixlowpan.Install(radios);
  Ipv6AddressHelper ipv6;
  ipv6.SetBase(Ipv6Address("2001:db8::"), Ipv6Prefix(64));
  Ipv6InterfaceContainer interfaces = ipv6.Assign(adapted);

  Ptr<Socket> server = Socket::CreateSocket(nodes.Get(0), UdpSocketFactory::GetTypeId());
  server->Bind(Inet6SocketAddress(Ipv6Address::GetAny(), 5684));
  server->SetRecvCallback(MakeCallback(&Serve));
  const Inet6SocketAddress broker(interfaces.GetAddress(0, 1), 5684);
  for (uint32_t node = 1; node <= devices; ++node) {
    Ptr<Socket> socket = Socket::CreateSocket(nodes.Get(node), UdpSocketFactory::GetTypeId());
    socket->Bind6();
    socket->Connect(broker);
    socket->SetRecvCallback(MakeCallback(&Answered));
    // Nobody speaks before addresses are settled.
    const Time at = Seconds(5 + period * chance->GetValue());
    Simulator::ScheduleWithContext(node, at, &Publish, socket, Seconds(period));
  }
  Simulator::Stop(Seconds(seconds + 5));
  Simulator::Run();
  printf("{\"cpu_s\":%.3f,\"resident_kb\":%lu,"
         "\"sent\":%lu,\"arrived\":%lu}\n",
         CpuSeconds(), ResidentKb() - before, g_sent, g_arrived);
  Simulator::Destroy();
}
