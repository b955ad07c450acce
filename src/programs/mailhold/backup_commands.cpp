// mailbox, backup, restore.
#include <boost/json.hpp>
#include <iostream>
#include <thread>

#include "base/text.h"
#include "programs/mailhold/print.h"
#include "programs/mailhold/signing.h"

namespace mailhold::cli {
namespace {

namespace json = boost::json;

// How a mailbox is to be read, as far as it was typed.
void add_schedule(const Typed& typed, json::object& request) {
  for (const char* name : {"every", "types"}) {
    if (typed.has(name)) request[name] = typed.one(name);
  }
  for (const char* name : {"continuous", "default"}) {
    if (typed.has(name)) request[name] = true;
  }
}

Status add_mailbox(Console& console, const Typed& typed) {
  ASSIGN_OR_RETURN(const std::string tenant, console.tenant_id(typed.one("tenant")));
  json::object request{
      {"verb", "mailbox.add"}, {"tenant", tenant}, {"name", typed.one("name")}, {"connection", typed.one("connection")}};
  if (typed.has("restore-connection")) request["restore_connection"] = typed.one("restore-connection");
  if (typed.has("kind")) request["kind"] = typed.one("kind");
  add_schedule(typed, request);
  ASSIGN_OR_RETURN(const std::string answer, console.ask(json::serialize(request)));
  console.print(answer);
  return done();
}

// One mailbox, or all of a tenant.
Status set_schedule(Console& console, const Typed& typed) {
  json::object request{{"verb", "mailbox.schedule"}};
  if (typed.has("mailbox")) request["mailbox"] = typed.one("mailbox");
  if (typed.has("tenant")) {
    ASSIGN_OR_RETURN(const std::string tenant, console.tenant_id(typed.one("tenant")));
    request["tenant"] = tenant;
  }
  add_schedule(typed, request);
  ASSIGN_OR_RETURN(const std::string answer, console.ask(json::serialize(request)));
  console.print(answer);
  return done();
}

Status list_mailboxes(Console& console, const Typed& typed) {
  json::object request{{"verb", "mailbox.list"}};
  if (typed.has("tenant")) {
    ASSIGN_OR_RETURN(const std::string tenant, console.tenant_id(typed.one("tenant")));
    request["tenant"] = tenant;
  }
  ASSIGN_OR_RETURN(const std::string answer, console.ask(json::serialize(request)));
  console.print(answer, {"name", "kind", "state", "items", "progress", "synced_at", "schedule", "watch", "next_sync_at", "reason",
                         "mailbox"});
  return done();
}

// Says once for each pause of a restore or a proof that it waits, beside what is printed in the end.
class PauseTeller {
 public:
  void tell(const json::object& state, const char* until_name, const std::string& text) {
    const json::value* until = state.if_contains(until_name);
    if (until == nullptr || std::string(until->as_string()) == told_) return;
    told_ = std::string(until->as_string());
    std::cerr << printable_lines(text) << "\n";  // in the server's own words
  }

 private:
  std::string told_;
};

// What to say of a restore that came to no end; of one that did, and could not be read back again later, the reason says that.
std::string without_end(const json::object& report, const std::string& failure) {
  return report.contains("not_read_back") ? failure : "the restore came to no end: " + failure;
}

// Waits for the end of a restore that the request begins and prints its report; an error unless everything is exactly as it was.
Status await(Console& console, const json::object& begin) {
  ASSIGN_OR_RETURN(const std::string begun, console.ask(json::serialize(begin)));
  const std::string job(json::parse(begun).as_object().at("restore").as_string());
  const std::string request = json::serialize(json::object{{"verb", "restore.show"}, {"restore", job}});
  PauseTeller pauses;
  for (;;) {
    ASSIGN_OR_RETURN(const std::string answer, console.ask(request));
    const json::object report = json::parse(answer).as_object();
    const auto word = [&](const char* name) { return std::string(report.at(name).as_string()); };
    if (report.contains("waits_until"))
      pauses.tell(report, "waits_until",
                  "waits for " + word("waits_for") + " until " + word("waits_until") + ": " + word("waits_because") +
                      "\nIt goes on by itself; mailhold restore show " + job + " tells how far it is.");
    if (!report.at("over").as_bool()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      continue;
    }
    console.print(answer);
    if (!console.json) std::cout << "each item: mailhold restore items " << job << "\n";
    if (const json::value* failure = report.if_contains("failure"))
      return Error{ErrorKind::unavailable, without_end(report, std::string(failure->as_string()))};
    if (!report.at("exact").as_bool())
      return Error{ErrorKind::corrupt, json::serialize(report.at("not_as_it_was_in_all")) + " items are not as they were"};
    return done();
  }
}

// A page of a report, with how to see the next one.
Status show_items(Console& console, const Command& command, const Typed& typed) {
  ASSIGN_OR_RETURN(const std::string request, request_of(command, typed));
  ASSIGN_OR_RETURN(const std::string answer, console.ask(request));
  const json::object page = json::parse(answer).as_object();
  if (console.json) {
    console.print(answer);
    return done();
  }
  const json::array& items = page.at("items").as_array();
  const bool is_dry_run = !items.empty() && items.front().as_object().contains("would");
  console.print(json::serialize(json::object{{"items", items}}),
                {"folder", "received_at", "bytes", is_dry_run ? "would" : "outcome", "what", "item"});
  if (const json::value* after = page.if_contains("after"))
    std::cerr << "There are further ones: --after " << printable(std::string(after->as_string())) << "\n";
  return done();
}

// A verb that begins one as it is.
Status begin(Console& console, const Command& command, const Typed& typed) {
  ASSIGN_OR_RETURN(const std::string request, request_of(command, typed));
  return await(console, json::parse(request).as_object());
}

// The account that is about to be written into, as brokerd knows it: what workerd calls a mailbox must not be all that is seen.
// One account may have the mailboxes of many, so that the line says which of them the connection reaches.
Status say_account(Console& console, const std::string& connection) {
  ASSIGN_OR_RETURN(const std::string answer,
                   console.ask(json::serialize(json::object{{"verb", "connection.show"}, {"connection", connection}})));
  const json::object shown = json::parse(answer).as_object();
  const auto text = [&](const char* name) { return printable(std::string(shown.at(name).as_string())); };
  std::string reached;
  for (const json::value& each : shown.at("mailboxes").as_array())
    reached += (reached.empty() ? "" : ", ") + printable(std::string(each.as_string()));
  if (reached == "*") reached = "all of it";
  std::cerr << "This is signed for the account " << text("user") << " at " << text("host") << ":" << shown.at("port").as_int64()
            << " only (" << reached << "), over the connection " << text("connection") << ".\n";
  return done();
}

// What is signed: what was typed, as it was typed, and from workerd no more than what names mean and what was left out.
Result<std::map<std::string, std::string>> arguments_of(const Typed& typed, const json::object& known) {
  if (known.contains("into") != typed.has("into-mailbox"))
    return Error{ErrorKind::corrupt, "workerd names another kind of place than what was asked for: nothing is signed"};
  std::map<std::string, std::string> arguments;
  for (const char* name : {"mailbox", "into", "reading", "connection", "at"}) {
    if (known.contains(name)) arguments[name] = std::string(known.at(name).as_string());
  }
  if (const auto at = parse_iso8601(typed.one("at"))) arguments["at"] = to_iso8601(*at);
  for (const char* name : {"folder", "item", "query", "to"}) {
    if (typed.has(name)) arguments[name] = typed.one(name);
  }
  for (const char* name : {"overwrite", "dry-run"}) {
    if (typed.has(name)) arguments[std::string(name) == "dry-run" ? "dry_run" : name] = "true";
  }
  return arguments;
}

// Signs for a restore: the answer has `restore`, or `waits_for_second_person`. What could not be done is refused before anybody
// signs.
Result<json::object> sign_for(Console& console, const Command& command, const Typed& typed) {
  RETURN_IF_ERROR(check_key(typed));
  ASSIGN_OR_RETURN(const std::string question, request_of(command, typed));
  json::object checked = json::parse(question).as_object();
  checked["verb"] = "restore.check";
  checked.erase("key");
  ASSIGN_OR_RETURN(const std::string answer, console.ask(json::serialize(checked)));
  const json::object known = json::parse(answer).as_object();
  ASSIGN_OR_RETURN(auto arguments, arguments_of(typed, known));
  ASSIGN_OR_RETURN(const Id tenant, Id::parse(std::string(known.at("tenant").as_string())));
  RETURN_IF_ERROR(say_account(console, arguments["connection"]));
  ASSIGN_OR_RETURN(const std::string permit, sign_and_send(console, typed, "restore.allow", tenant, std::move(arguments)));
  return json::parse(permit).as_object();
}

// For somebody else's mailbox, and to write over contents, the second person approves it; then `restore carry-out` does it.
Status allow(Console& console, const Command& command, const Typed& typed) {
  ASSIGN_OR_RETURN(const json::object permit, sign_for(console, command, typed));
  console.print(json::serialize(permit));
  return done();
}

// Signs, and carries out what was signed for.
Status start(Console& console, const Command& command, const Typed& typed) {
  ASSIGN_OR_RETURN(const json::object permit, sign_for(console, command, typed));
  if (const json::value* waits = permit.if_contains("waits_for_second_person")) {
    const std::string operation(waits->as_string());
    console.print(json::serialize(permit));
    return Error{
        ErrorKind::denied,
        "it writes over contents, or nobody can tell by its connection whose mailbox that is: a second person must sign for it "
        "too, with `mailhold operation approve --tenant TENANT --operation " +
            operation + " --key FILE`; then `mailhold restore carry-out " + operation + "`"};
  }
  return await(console, {{"verb", "restore.carry-out"}, {"operation", permit.at("restore")}, {"dry_run", typed.has("dry-run")}});
}

// MAILBOX WORDS..., or --tenant T WORDS...
Status find(Console& console, const Command& command, const Typed& typed) {
  Typed asked = typed;
  std::vector<std::string>& words = asked.values["query"];
  if (typed.has("tenant")) {
    ASSIGN_OR_RETURN(const std::string tenant, console.tenant_id(typed.one("tenant")));
    asked.values["tenant"] = {tenant};
  } else {
    asked.values["mailbox"] = {words.front()};
    words.erase(words.begin());
  }
  if (words.empty()) return Error{ErrorKind::invalid_input, "say what to look for: mailhold backup find MAILBOX WORDS"};
  Command sent = command;
  sent.options.push_back({"mailbox", ""});
  ASSIGN_OR_RETURN(const std::string request, request_of(sent, asked));
  ASSIGN_OR_RETURN(const std::string answer, console.ask(request));
  console.print(answer, {"type", "received_at", "date", "folder", "bytes", "mailbox", "item"});
  return done();
}

// Waits for the end of a proof and prints it; an error unless everything came back as it was.
Status prove(Console& console, const Command& command, const Typed& typed) {
  ASSIGN_OR_RETURN(const std::string request, request_of(command, typed));
  RETURN_IF_ERROR(console.ask(request));
  const std::string question = json::serialize(json::object{{"verb", "backup.proof"}, {"mailbox", typed.one("mailbox")}});
  PauseTeller pauses;
  for (;;) {
    ASSIGN_OR_RETURN(const std::string shown, console.ask(question));
    const json::object proof = json::parse(shown).as_object();
    if (proof.contains("trouble")) pauses.tell(proof, "put_off_until", std::string(proof.at("trouble").as_string()));
    if (proof.at("running").as_bool()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      continue;
    }
    console.print(shown);
    if (const json::value* trouble = proof.if_contains("trouble"))
      return Error{ErrorKind::unavailable, std::string(trouble->as_string())};
    if (proof.at("outcome").as_string() != "passed") return Error{ErrorKind::corrupt, "not everything came back as it was"};
    return done();
  }
}

// Says now and then how far a check is, beside what is printed in the end.
class CheckTeller {
 public:
  void tell(const json::object& report) {
    const auto now = std::chrono::steady_clock::now();
    if (now < next_) return;
    next_ = now + often;
    std::cerr << "checked " << report.at("versions").to_number<std::uint64_t>() << " of "
              << report.at("versions_expected").to_number<std::uint64_t>() << " versions, "
              << report.at("damaged").to_number<std::uint64_t>() << " contents damaged\n";
  }

 private:
  static constexpr std::chrono::seconds often{10};
  std::chrono::steady_clock::time_point next_ = std::chrono::steady_clock::now() + often;
};

// What is wrong by a report that is over; an error unless nothing is.
Status outcome_of_check(const json::object& report) {
  const auto count = [&](const char* name) { return report.at(name).to_number<std::uint64_t>(); };
  if (const json::value* failure = report.if_contains("failure"))
    return Error{ErrorKind::unavailable, "the check came to no end: " + std::string(failure->as_string())};
  if (count("damaged") + count("rows_that_do_not_open") > 0)
    return Error{ErrorKind::corrupt, std::to_string(count("damaged")) + " contents are damaged, " +
                                         std::to_string(count("rows_that_do_not_open")) + " rows do not open and " +
                                         std::to_string(count("not_judged")) +
                                         " contents cannot be judged now; see mailhold backup lost"};
  if (count("not_judged") > 0)
    return Error{ErrorKind::unavailable, std::to_string(count("not_judged")) +
                                             " contents cannot be judged now, which is no damage: the list says what to do"};
  return done();
}

// Waits for the end of a check and prints it.
Status check(Console& console, const Command& command, const Typed& typed) {
  Typed asked = typed;
  if (typed.has("tenant")) {
    ASSIGN_OR_RETURN(const std::string tenant, console.tenant_id(typed.one("tenant")));
    asked.values["tenant"] = {tenant};
  }
  ASSIGN_OR_RETURN(const std::string request, request_of(command, asked));
  ASSIGN_OR_RETURN(const std::string begun, console.ask(request));
  const std::string question =
      json::serialize(json::object{{"verb", "backup.check-report"}, {"check", json::parse(begun).as_object().at("check")}});
  CheckTeller teller;
  for (;;) {
    ASSIGN_OR_RETURN(const std::string answer, console.ask(question));
    const json::object report = json::parse(answer).as_object();
    if (report.at("over").as_bool()) {
      console.print(answer);
      return outcome_of_check(report);
    }
    teller.tell(report);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

}  // namespace

std::vector<Command> backup_commands() {
  const Option mailbox{"mailbox", "Name or id of the mailbox", true, Form::position};
  const Option at{"at", "As of this moment (UTC); without it: the last sync", false, Form::time};
  const Option every{"every", "Read it so long after its last sync, as in 15m, 6h or 1d (60s to 7d)"};
  const Option continuous{"continuous", "Read it as soon as something changes in it", false, Form::flag};
  const Option types{"types", "Only items of these types, as in event,task: mail, event, contact, task, note; all"};
  const Option job{"restore", "Id of the restore", true, Form::position};
  const std::vector<Option> what{
      {"folder", "Only this folder and what is below it, as in Projects/2026"},
      {"item", "Only this item"},
      {"query", "Only what backup find finds with these words"},
      {"to", "Put it below this folder instead"},
      {"overwrite",
       "Also give items that are there the flags of that moment, and events and contacts their content of then, which "
       "takes a second person",
       false, Form::flag}};
  const auto options = [&](std::vector<Option> first, const std::vector<Option>& last) {
    first.insert(first.end(), what.begin(), what.end());
    first.insert(first.end(), last.begin(), last.end());
    return first;
  };
  Command starting{"restore",
                   "start",
                   "Sign for a restore into the mailbox itself, put back what is missing, read it back and compare; an error if "
                   "anything differs",
                   options({mailbox, at}, {{"dry-run", "Say what is missing and write nothing", false, Form::flag},
                                           {"key", "Your key file: it is signed for"}}),
                   "mailhold restore start alice@example.com --at 2026-11-21T18:00:00Z --folder Projects --key ~/.mailhold.key",
                   {}};
  starting.run = [plain = starting](Console& console, const Typed& typed) { return start(console, plain, typed); };
  Command allowing{
      "restore",
      "allow",
      "Sign for a restore that restore carry-out does later; into somebody else's mailbox, or to write over events and "
      "contacts, a second person approves it",
      options({mailbox, {"into-mailbox", "Name or id of another mailbox they go into; without it the one they are from"}, at},
              {{"key", "Your key file: it is signed for"}}),
      "mailhold restore allow alice@example.com --into-mailbox bob@example.com --folder Projects --key ~/.mailhold.key",
      {}};
  allowing.run = [plain = allowing](Console& console, const Typed& typed) { return allow(console, plain, typed); };
  Command carrying_out{
      "restore",
      "carry-out",
      "Do the restore that was signed for, within eight hours and as often as needed; an error if anything differs",
      {{"operation", "As restore allow and restore show name it", true, Form::position},
       {"dry-run", "Say what is missing there and write nothing", false, Form::flag}},
      "mailhold restore carry-out 5f…",
      {}};
  carrying_out.run = [plain = carrying_out](Console& console, const Typed& typed) { return begin(console, plain, typed); };
  Command finding{
      "backup",
      "find",
      "Find items by words, from: to: subject: attachment: folder: after: before: has:attachment has:unreadable",
      {{"query", "The mailbox (not with --tenant), then what to look for: words, \"a phrase\", from:ann", true, Form::words},
       {"tenant", "In all mailboxes of this tenant (name or id)"},
       at,
       {"limit", "At most so many, the newest first; 100 if not given", false, Form::number}},
      "mailhold backup find alice@example.com 'invoice from:bob after:2026-01-01'",
      {}};
  finding.run = [plain = finding](Console& console, const Typed& typed) { return find(console, plain, typed); };
  Command verifying{"restore", "verify", "Read everything of a restore back once more and compare; no signature is needed",
                    {job},     "",       {}};
  Command listing{"restore",
                  "items",
                  "Show the report of a restore item by item: folder, date, size, and what became of it, or would in a dry run",
                  {job,
                   {"folder", "Only what goes into this folder and what is below it"},
                   {"outcome", "Only restored, missing, present, flags-set, overwritten, differs or failed"},
                   {"limit", "At most so many, up to 1000; 100 if not given", false, Form::number},
                   {"after", "Only those behind this item"}},
                  "mailhold restore items 66… --outcome missing",
                  {}};
  listing.run = [plain = listing](Console& console, const Typed& typed) { return show_items(console, plain, typed); };
  Command proving{"backup",
                  "prove",
                  "Put some items into a scratch folder at the server, read them back, compare, and take the folder away",
                  {mailbox, {"items", "How many, if not 20", false, Form::number}},
                  "mailhold backup prove alice@example.com",
                  {}};
  proving.run = [plain = proving](Console& console, const Typed& typed) { return prove(console, plain, typed); };
  Command checking{
      "backup",
      "check",
      "Read every content of a backup here, put it together and compare it; an error if something is damaged or cannot "
      "be judged",
      {{"mailbox", "Name or id of the mailbox; without it all", false, Form::position},
       {"tenant", "Only of this tenant (name or id)"},
       {"set-places", "First find anew where everything lies in the packs and blobs, and write that down", false, Form::flag}},
      "mailhold backup check alice@example.com",
      {}};
  checking.run = [plain = checking](Console& console, const Typed& typed) { return check(console, plain, typed); };
  verifying.run = [plain = verifying](Console& console, const Typed& typed) { return begin(console, plain, typed); };
  return {
      {"mailbox",
       "add",
       "Back a mailbox up over a connection",
       {{"tenant", "Name or id of the tenant", true},
        {"name", "What you call it, such as its address", true},
        {"kind", "imap for mail, which it is if nothing is said; dav for calendars and contacts"},
        {"connection", "Id of a connection with purpose backup.read", true},
        {"restore-connection", "Id of a connection with purpose restore.write, if it is another one"},
        every,
        continuous,
        types},
       "mailhold mailbox add --tenant example --name alice@example.com --connection 8a…",
       add_mailbox},
      {"mailbox",
       "list",
       "Show all mailboxes and how current they are",
       {{"tenant", "Only of this tenant (name or id)"}},
       "",
       list_mailboxes},
      {"mailbox",
       "schedule",
       "Say when a mailbox is read, and which types of items",
       {{"mailbox", "Name or id of the mailbox", false, Form::position},
        {"tenant", "All mailboxes of this tenant (name or id)"},
        every,
        continuous,
        {"default", "As all others: backup.every_seconds after its last sync", false, Form::flag},
        types},
       "mailhold mailbox schedule alice@example.com --every 6h",
       set_schedule},
      {"mailbox", "pause", "Sync it no more until it is resumed", {mailbox}, "", {}},
      {"mailbox", "resume", "Sync it again", {mailbox}, "", {}},
      {"backup",
       "run",
       "Sync a mailbox now",
       {mailbox, {"accept-vanished", "What is not there any more, or is refused, was deleted: record it so", false, Form::flag}},
       "",
       {}},
      {"backup", "folders", "Show the folders as of a moment", {mailbox, at}, "", {}, {"folder", "items", "use", "since"}},
      {"backup",
       "items",
       "Show the items of a folder as of a moment",
       {mailbox, {"folder", "As backup folders shows it", true}, at},
       "",
       {},
       {"received_at", "bytes", "flags", "item"}},
      {"backup",
       "lost",
       "Show the items whose content was backed up and cannot be read any more",
       {mailbox},
       "",
       {},
       {"received_at", "folder", "bytes", "since", "until", "item"}},
      std::move(finding),
      std::move(checking),
      std::move(proving),
      {"backup", "proof", "Show the last proof of a mailbox", {mailbox}, "", {}},
      std::move(starting),
      std::move(allowing),
      std::move(carrying_out),
      {"restore", "show", "Show how far a restore is, and its report", {job}, "", {}},
      std::move(listing),
      std::move(verifying),
  };
}

}  // namespace mailhold::cli
