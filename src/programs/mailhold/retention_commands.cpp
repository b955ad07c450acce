// retention, hold: how long backups are kept, and what must be kept longer. Changes are signed; less takes two people.
#include <boost/json.hpp>

#include "programs/mailhold/signing.h"

namespace mailhold::cli {
namespace {

namespace json = boost::json;

std::string lines_of(const std::vector<std::string>& values) {
  std::string lines;
  for (const std::string& value : values) lines += value + "\n";
  return lines;
}

void take(const Typed& typed, const std::string& option, std::map<std::string, std::string>& arguments) {
  if (typed.has(option)) arguments[option] = typed.one(option);
}

Status set_retention(Console& console, const Typed& typed) {
  ASSIGN_OR_RETURN(const Id tenant, tenant_of(console, typed));
  std::map<std::string, std::string> arguments{{"days", typed.one("days")}};
  if (typed.has("mailbox")) {
    ASSIGN_OR_RETURN(arguments["mailbox"], console.mailbox_id(typed.one("mailbox"), tenant.text()));
  }
  take(typed, "type", arguments);
  return apply(console, typed, "retention.set", tenant, std::move(arguments));
}

Status ask_of_tenant(Console& console, const Command& command, const Typed& typed) {
  Typed with_ids = typed;
  ASSIGN_OR_RETURN(const std::string tenant, console.tenant_id(typed.one("tenant")));
  with_ids.values["tenant"] = {tenant};
  if (typed.has("mailbox")) {
    ASSIGN_OR_RETURN(const std::string mailbox, console.mailbox_id(typed.one("mailbox"), tenant));
    with_ids.values["mailbox"] = {mailbox};
  }
  ASSIGN_OR_RETURN(const std::string request, request_of(command, with_ids));
  ASSIGN_OR_RETURN(const std::string answer, console.ask(request));
  console.print(answer, command.columns);
  return done();
}

// A command of one tenant whose tenant and mailbox may be given by name.
Command asking(Command command) {
  command.run = [plain = command](Console& console, const Typed& typed) { return ask_of_tenant(console, plain, typed); };
  return command;
}

Status add_hold(Console& console, const Typed& typed) {
  ASSIGN_OR_RETURN(const Id tenant, tenant_of(console, typed));
  std::map<std::string, std::string> arguments{
      {"hold", Id::random().text()}, {"name", typed.one("name")}, {"reason", typed.one("reason")}};
  std::vector<std::string> mailboxes;
  if (typed.has("mailbox")) {
    for (const std::string& name : typed.values.at("mailbox")) {
      ASSIGN_OR_RETURN(const std::string id, console.mailbox_id(name, tenant.text()));
      mailboxes.push_back(id);
    }
  }
  arguments["mailboxes"] = lines_of(mailboxes);
  if (typed.has("type")) arguments["types"] = lines_of(typed.values.at("type"));
  if (typed.has("item")) arguments["items"] = lines_of(typed.values.at("item"));
  take(typed, "from", arguments);
  take(typed, "to", arguments);
  return apply(console, typed, "hold.add", tenant, std::move(arguments));
}

Status remove_hold(Console& console, const Typed& typed) {
  ASSIGN_OR_RETURN(const Id tenant, tenant_of(console, typed));
  const std::string named = typed.one("hold");
  ASSIGN_OR_RETURN(const std::string answer,
                   console.ask(json::serialize(json::object{{"verb", "hold.list"}, {"tenant", tenant.text()}})));
  const json::value listed = json::parse(answer);
  for (const json::value& hold : listed.at("holds").as_array()) {
    const std::string id(hold.as_object().at("hold").as_string());
    if (id == named || hold.as_object().at("name").as_string() == named)
      return apply(console, typed, "hold.remove", tenant, {{"hold", id}});
  }
  return Error{ErrorKind::not_found, "no such hold; see mailhold hold list"};
}

// The name is typed twice, so that no slip removes another one.
Status remove_mailbox(Console& console, const Typed& typed) {
  if (typed.one("mailbox") != typed.one("confirm"))
    return Error{ErrorKind::invalid_input, "--confirm must repeat the name of the mailbox: all that was backed up of it goes"};
  ASSIGN_OR_RETURN(const Id tenant, tenant_of(console, typed));
  ASSIGN_OR_RETURN(const std::string mailbox, console.mailbox_id(typed.one("mailbox"), tenant.text()));
  return apply(console, typed, "mailbox.remove", tenant, {{"mailbox", mailbox}});
}

}  // namespace

std::vector<Command> retention_commands() {
  const Option key{"key", "File with your own key; it signs the operation", true};
  const Option tenant{"tenant", "Name or id of the tenant", true};
  const Option mailbox{"mailbox", "Only this mailbox (name or id)"};
  const Option type{"type", "Only items of this type: mail, event, contact, task or note"};
  return {
      {"retention",
       "set",
       "How many days items are kept after they left their mailbox. Fewer than before takes a second person",
       {tenant, mailbox, type, {"days", "1 to 36135 (99 years), forever, or default: as what is wider says", true}, key},
       "mailhold retention set --tenant example --type mail --days 3650 --key ~/.mailhold.key",
       set_retention},
      asking({"retention", "show", "Show the rules of a tenant", {tenant}, "", {}, {"name", "type", "days"}}),
      asking({"retention",
              "simulate",
              "Say what would vanish on which day, and what holds keep from it",
              {tenant,
               mailbox,
               {"days", "So many days ahead; without it 30", false, Form::number},
               {"as-if-days", "As if retention set had been given these days"},
               {"type", "… for this type"}},
              "mailhold retention simulate --tenant example --days 90 --as-if-days 365 --type mail",
              {}}),
      {"retention", "run", "Delete now what is over, instead of within the hour", {}, "", {}},
      {"hold",
       "add",
       "Keep what fits, whatever retention says",
       {tenant,
        {"name", "Such as the case's", true},
        {"reason", "Why; who removes it must know", true},
        {"mailbox", "Only this mailbox (name or id); may be given again", false, Form::values},
        {"type", "Only items of this type; may be given again", false, Form::values},
        {"from", "Only items received at or after this time"},
        {"to", "Only items received before this time"},
        {"item", "Only this item of that one mailbox; may be given again", false, Form::values},
        key},
       "mailhold hold add --tenant example --name 'Case 7' --reason 'Court order of 2 May' --mailbox alice@example.com --key "
       "~/.mailhold.key",
       add_hold},
      asking({"hold", "list", "Show the holds of a tenant", {tenant}, "", {}, {"name", "reason", "since", "hold"}}),
      {"hold",
       "remove",
       "End a hold; takes a second person",
       {tenant, {"hold", "Its name or id", true, Form::position}, key},
       "mailhold hold remove 'Case 7' --tenant example --key ~/.mailhold.key",
       remove_hold},
      {"mailbox",
       "remove",
       "Delete a mailbox's backup and forget the mailbox; takes a second person, and a hold stops it",
       {{"mailbox", "Name or id", true, Form::position}, {"confirm", "The same again", true}, tenant, key},
       "mailhold mailbox remove alice@example.com --confirm alice@example.com --tenant example --key ~/.mailhold.key",
       remove_mailbox},
  };
}

}  // namespace mailhold::cli
