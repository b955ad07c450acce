// up, status, settings.
#include <signal.h>

#include <boost/json.hpp>
#include <iostream>

#include "base/log.h"
#include "core/supervisor/supervisor.h"
#include "programs/mailhold/console.h"

namespace mailhold::cli {
namespace {

namespace json = boost::json;

supervisor::Supervisor* running = nullptr;

Status up(Console& console, const Typed& typed) {
  Settings settings;
  if (typed.has("config")) {
    ASSIGN_OR_RETURN(settings, Settings::from_file(typed.one("config")));
  }
  supervisor::Supervisor supervisor(settings, console.programs);
  running = &supervisor;
  struct sigaction action{};
  action.sa_handler = [](int) { running->stop(); };
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  ASSIGN_OR_RETURN(const std::vector<std::string> missing, supervisor.start(Deadline::after(std::chrono::seconds(60))));
  std::string but_for;
  for (const std::string& name : missing) but_for += (but_for.empty() ? " but for " : ", ") + name;
  log_info("supervisor", "all processes are ready" + but_for);
  supervisor.run();
  log_info("supervisor", "stopped");
  return done();
}

Status list_settings(Console& console, const Typed&) {
  json::array list;
  for (const KnownSetting& setting : known_settings()) {
    list.push_back({{"setting", setting.key}, {"default", setting.default_value}, {"meaning", setting.meaning}});
  }
  console.print(json::serialize(json::object{{"settings", list}}));
  return done();
}

Status check_settings(Console& console, const Typed& typed) {
  ASSIGN_OR_RETURN(const Settings settings, Settings::from_file(typed.one("file")));
  json::object differing;
  for (const auto& [key, value] : settings.values()) differing[key] = value;
  console.print(json::serialize(json::object{{"settings", differing}, {"good", true}}));
  return done();
}

}  // namespace

std::vector<Command> region_commands() {
  return {
      {"up",
       "",
       "Run Mailhold: start all processes, or reach those of systemd's, and keep them running (root, unless all are systemd's)",
       {{"config", "The settings file; without it all defaults hold"}},
       "mailhold up --config /etc/mailhold/mailhold.toml",
       up},
      {"status",
       "",
       "Show the processes, the seal and the ledger",
       {},
       "mailhold status",
       [](Console& console, const Typed&) -> Status {
         ASSIGN_OR_RETURN(const std::string answer, console.ask(R"({"verb":"status"})"));
         console.print(answer);
         return done();
       }},
      {"metrics",
       "",
       "Print what all processes count and measure, in the text format of Prometheus",
       {},
       "mailhold metrics > /var/lib/prometheus/node-exporter/mailhold.prom.new && mv …",
       [](Console& console, const Typed&) -> Status {
         ASSIGN_OR_RETURN(const std::string answer, console.ask(R"({"verb":"metrics.show"})"));
         if (console.json)
           console.print(answer);
         else
           std::cout << json::parse(answer).as_object().at("text").as_string().c_str();
         return done();
       }},
      {"settings", "list", "Show every setting with its default and what it means", {}, "", list_settings},
      {"settings",
       "check",
       "Check a settings file without using it",
       {{"file", "The file", true, Form::position}},
       "mailhold settings check /etc/mailhold/mailhold.toml",
       check_settings},
  };
}

}  // namespace mailhold::cli
