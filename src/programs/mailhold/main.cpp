// mailhold: the command line of the product, and `mailhold up`, which runs it.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <iostream>

#include "base/log.h"
#include "programs/mailhold/console.h"
#include "programs/mailhold/print.h"

namespace {

using namespace mailhold;

constexpr const char* about =
    "Mailhold: an open email security service.\n"
    "\n"
    "  mailhold NOUN VERB [options]      mailhold help NOUN lists the verbs\n"
    "  --json works on everything that prints\n"
    "\n"
    "Exit codes: 0 done, 2 wrong input, 3 not found, 4 exists already, 5 not allowed, 6 a limit,\n"
    "            7 stored data is damaged, 8 not supported, 70 an internal error, 75 try again later";

int exit_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid_input: return 2;
    case ErrorKind::not_found: return 3;
    case ErrorKind::already_exists: return 4;
    case ErrorKind::denied: return 5;
    case ErrorKind::limit_exceeded: return 6;
    case ErrorKind::corrupt: return 7;
    case ErrorKind::unsupported: return 8;
    case ErrorKind::cancelled: return 130;
    case ErrorKind::unavailable:
    case ErrorKind::timed_out: return 75;
    case ErrorKind::bug: break;
  }
  return 70;
}

Status run(cli::Console& console, const cli::Command& command, const cli::Typed& typed) {
  if (command.run) return command.run(console, typed);
  ASSIGN_OR_RETURN(const std::string request, cli::request_of(command, typed));
  ASSIGN_OR_RETURN(const std::string answer, console.ask(request));
  console.print(answer, command.columns);
  return done();
}

// Adds one command below its noun; `chosen` is set when it was typed.
void add(CLI::App& app, const cli::Command& command, cli::Typed& typed, const cli::Command*& chosen,
         std::map<std::string, CLI::App*>& nouns) {
  CLI::App*& noun = nouns[command.noun];
  if (noun == nullptr) {
    noun = app.add_subcommand(command.noun, command.meaning);
    if (!command.verb.empty()) noun->description(cli::noun_meaning(command.noun))->require_subcommand(1);
  }
  CLI::App* verb = command.verb.empty() ? noun : noun->add_subcommand(command.verb, command.meaning);
  if (!command.example.empty()) verb->footer("Example:\n  " + command.example);
  for (const cli::Option& option : command.options) {
    const bool has_dashes = option.form != cli::Form::position && option.form != cli::Form::words;
    const std::string name = has_dashes ? "--" + option.name : option.name;
    const auto take = [&typed, key = option.name](const std::vector<std::string>& values) {
      typed.values[key] = values;
      return true;
    };
    if (option.form == cli::Form::flag) {
      verb->add_flag_callback(name, [&typed, key = option.name] { typed.values[key] = {"true"}; }, option.meaning);
      continue;
    }
    CLI::Option* added = verb->add_option(name, take, option.meaning);
    added->type_name(option.form == cli::Form::number ? "NUMBER" : option.form == cli::Form::time ? "TIME" : "TEXT");
    if (option.form == cli::Form::values || option.form == cli::Form::words) {
      added->expected(1, 1 << 20)->allow_extra_args();
    } else {
      added->expected(1);
    }
    if (option.form == cli::Form::number) added->check(CLI::NonNegativeNumber);
    if (option.required) added->required();
  }
  verb->callback([&chosen, &command] { chosen = &command; });
}

// What a stranger types first is a question: nothing at all, "help", "help NOUN VERB", or a noun alone.
std::vector<std::string> as_typed(int count, char** words, const std::map<std::string, CLI::App*>& nouns) {
  std::vector<std::string> typed(words + 1, words + count);
  if (typed.empty()) typed.emplace_back("--help");
  if (typed.front() == "help") {
    typed.erase(typed.begin());
    typed.emplace_back("--help");
  }
  const auto noun = nouns.find(typed.front());
  if (typed.size() == 1 && noun != nouns.end() && !noun->second->get_subcommands({}).empty()) typed.emplace_back("--help");
  return typed;
}

}  // namespace

int main(int count, char** words) {
  set_program_name("mailhold");
  CLI::App app{about, "mailhold"};
  app.require_subcommand(1);
  app.fallthrough();
  cli::Console console;
  console.socket = "/run/mailhold/api.sock";
  app.add_option("--socket", console.socket, "The API socket of the running Mailhold")->capture_default_str();
  app.add_flag("--json", console.json, "Print answers as JSON");
  std::error_code ignored;
  console.programs = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();

  std::vector<cli::Command> commands = cli::region_commands();
  for (auto more :
       {cli::seal_commands(), cli::own_data_commands(), cli::backup_commands(), cli::retention_commands(), cli::export_commands(),
        cli::people_commands(), cli::connection_commands(), cli::tenant_commands(), cli::mail_commands(), cli::host_commands()})
    commands.insert(commands.end(), more.begin(), more.end());
  cli::Typed typed;
  const cli::Command* chosen = nullptr;
  std::map<std::string, CLI::App*> nouns;
  for (const auto& command : commands) add(app, command, typed, chosen, nouns);
  try {
    std::vector<std::string> typed_words = as_typed(count, words, nouns);
    if (const std::string& first = typed_words.front(); !first.starts_with('-') && !nouns.contains(first)) {
      std::cerr << "mailhold: there is no " << first << "; `mailhold help` lists what there is\n";
      return 2;
    }
    std::reverse(typed_words.begin(), typed_words.end());  // as the library takes them
    app.parse(std::move(typed_words));
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : 2;
  }
  const Status outcome = run(console, *chosen, typed);
  if (outcome) return 0;
  // It may be in the words of somebody's server.
  std::cerr << "mailhold: " << cli::printable_lines(outcome.error().detail) << "\n";
  return exit_code(outcome.error().kind);
}
