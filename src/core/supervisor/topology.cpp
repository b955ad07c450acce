#include "core/supervisor/topology.h"

#include <algorithm>

namespace mailhold::supervisor {
namespace {

constexpr std::string_view everyone = "all";
constexpr std::string_view needed_to_accept[] = {"keyd", "resolverd", "apid", "scannerd", "gatewayd-in"};

// Marks the programs that supervisor.attach names.
Status attach(Topology& topology, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    bool known = name == everyone;
    const auto mark = [&](Program& program) {
      if (name != everyone && name != program.name) return;
      program.attached = true;
      known = true;
    };
    std::for_each(topology.programs.begin(), topology.programs.end(), mark);
    mark(topology.authd);
    if (!known) return Error{ErrorKind::invalid_input, "supervisor.attach: there is no program " + name};
  }
  return done();
}

}  // namespace

Result<Topology> topology_of(const Settings& settings) {
  Topology topology;
  topology.authd = {"authd", "authd", {}, Network::none, 1000};
  topology.programs = {
      {"keyd", "keyd", {}, Network::none, 0},
      {"ledgerd", "ledgerd", {}, Network::none, 1},
      {"resolverd", "resolverd", {}, Network::host, 2},
      {"brokerd", "brokerd", {}, Network::host, 3},
      {"apid", "apid", {}, Network::none, 4},
      {"scannerd", "scannerd", {}, Network::none, 5},
      // In a burst accepting goes before delivering and storing: what is accepted waits safely in the spool, what is not
      // waits with strangers.
      {"gatewayd-out", "gatewayd", {"out"}, Network::host, 6, 5},
      {"gatewayd-in", "gatewayd", {"in"}, Network::none, 7},
      {"linkd", "linkd", {}, Network::none, 8},
      {"gossipd", "gossipd", {}, Network::host, 9},
      {"workerd", "workerd", {}, Network::none, 10},
      {"searchd", "searchd", {}, Network::none, 11},
  };
  // A vendor's module gets a process of its own, and only where one is used.
  const bool has_token = !settings.text("keys.pkcs11_module").empty();
  if (has_token) topology.programs.push_back({"tokend", "tokend", {}, Network::none, 20});
  topology.folders = {
      {"keystore", "keyd", {}, 0700, {"keyd"}},
      {"ledger", "ledgerd", {}, 0700, {"ledgerd"}},
      {"broker", "brokerd", {}, 0700, {"brokerd"}},
      {"directory", "apid", {}, 0700, {"apid"}},
      // gatewayd-in writes what only gatewayd-out can read: its files are write-only for their owner.
      {"spool", "gatewayd-in", "gatewayd-out", 02770, {"gatewayd-in", "gatewayd-out"}},
      {"store", "gatewayd-out", {}, 0700, {"gatewayd-out"}},
      {"links", "linkd", {}, 0700, {"linkd"}},
      {"backup", "workerd", {}, 0700, {"workerd"}},
      {"search", "searchd", {}, 0700, {"searchd"}},
  };
  if (has_token) topology.folders.push_back({"tokens", "tokend", {}, 0700, {"tokend"}});
  topology.listeners = {
      {"smtp", "gatewayd-in", settings.text("gateway.smtp")},
      {"http", "linkd", settings.text("links.listen")},
      {"api", "apid", settings.text("mailhold.socket")},
  };
  topology.edges = {
      {"ledgerd", "keyd"},
      {"brokerd", "keyd"},
      {"brokerd", "ledgerd"},
      {"brokerd", "resolverd"},
      {"brokerd", "supervisor"},
      {"apid", "keyd"},
      {"apid", "ledgerd"},
      {"apid", "brokerd"},
      {"apid", "gatewayd-in"},
      {"apid", "gatewayd-out"},
      {"apid", "linkd"},
      {"apid", "supervisor"},
      {"gatewayd-in", "keyd"},
      {"gatewayd-in", "scannerd"},
      {"gatewayd-in", "resolverd"},
      {"gatewayd-in", "apid"},
      {"gatewayd-in", "gatewayd-out"},
      {"gatewayd-out", "keyd"},
      {"gatewayd-out", "resolverd"},
      {"gatewayd-out", "brokerd"},
      {"gatewayd-out", "apid"},
      {"linkd", "keyd"},
      {"workerd", "brokerd"},
      {"workerd", "keyd"},
      {"workerd", "scannerd"},
      {"workerd", "searchd"},
      {"searchd", "keyd"},
      {"apid", "workerd"},
      {"linkd", "apid"},
      {"gossipd", "ledgerd"},
      {"gossipd", "resolverd"},
  };
  if (has_token) topology.edges.push_back({"keyd", "tokend"});
  for (Program& program : topology.programs)
    program.may_come_later =
        std::find(std::begin(needed_to_accept), std::end(needed_to_accept), program.name) == std::end(needed_to_accept);
  RETURN_IF_ERROR(attach(topology, settings.list("supervisor.attach")));
  return topology;
}

const Program* program_of(const Topology& topology, const std::string& name) {
  for (const Program& each : topology.programs) {
    if (each.name == name) return &each;
  }
  return nullptr;
}

bool is_all_attached(const Topology& topology) {
  return topology.authd.attached &&
         std::all_of(topology.programs.begin(), topology.programs.end(), [](const Program& program) { return program.attached; });
}

}  // namespace mailhold::supervisor
