#include "features/recover/export_verbs.h"

#include <boost/json.hpp>

#include "base/text.h"
#include "features/recover/verb_fields.h"

namespace mailhold::recover {
namespace {

namespace json = boost::json;

constexpr std::size_t name_bytes_max = 320;

Result<ipc::OwnedFd> descriptor_of(std::vector<ipc::OwnedFd>& fds, const std::string& what) {
  if (fds.size() != 1) return Error{ErrorKind::invalid_input, "it needs " + what + " as a descriptor"};
  return std::move(fds.front());
}

json::object shown(Id job, const Exports::View& view) {
  json::object one{{"job", job.text()},
                   {"over", view.over},
                   {"items", view.report.items},
                   {"failed", view.report.failed},
                   {"bytes", view.report.bytes}};
  if (!view.failure.empty()) one["failure"] = view.failure;
  if (view.over && view.failure.empty()) one["manifest_sha256"] = to_hex(view.report.manifest_sha256);
  return one;
}

Result<json::object> answer_to(Exports& exports, const json::object& request, std::vector<ipc::OwnedFd>& fds,
                               const Deadline& deadline) {
  const std::string verb = text_of(request, "verb");
  if (verb == "export.write") {
    ASSIGN_OR_RETURN(ipc::OwnedFd file, descriptor_of(fds, "the file"));
    ASSIGN_OR_RETURN(const Id job, exports.write(text_of(request, "export"), std::move(file), deadline));
    return json::object{{"job", job.text()}};
  }
  if (verb == "export.show") {
    ASSIGN_OR_RETURN(const Id job, id_of(request, "job"));
    ASSIGN_OR_RETURN(const Exports::View view, exports.view(job));
    return shown(job, view);
  }
  ASSIGN_OR_RETURN(const Id tenant, id_of(request, "tenant"));
  const std::string name = text_of(request, "name");
  const std::string what = "a mailbox needs a name of at most 320 bytes";
  if (name.empty() || name.size() > name_bytes_max) return Error{ErrorKind::invalid_input, what, what};
  ASSIGN_OR_RETURN(const Id restore_connection, id_of(request, "restore_connection", false));
  ASSIGN_OR_RETURN(ipc::OwnedFd channel, descriptor_of(fds, "a channel"));
  ASSIGN_OR_RETURN(const Id mailbox, exports.import(tenant, name, restore_connection, std::move(channel), deadline));
  return json::object{{"mailbox", mailbox.text()}};
}

}  // namespace

bool ExportVerbs::knows(std::string_view verb) {
  return verb == "export.write" || verb == "export.show" || verb == "import.start";
}

Result<std::string> ExportVerbs::answer(std::string_view text, std::vector<ipc::OwnedFd>& fds, const Deadline& deadline) {
  boost::system::error_code problem;
  const json::value parsed = json::parse(json::string_view(text.data(), text.size()), problem);
  if (problem || !parsed.is_object() || !knows(text_of(parsed.as_object(), "verb")))
    return Error{ErrorKind::invalid_input, "not a request about exports", "not a request about exports"};
  ASSIGN_OR_RETURN(const json::object reply, answer_to(exports_, parsed.as_object(), fds, deadline));
  return json::serialize(reply);
}

}  // namespace mailhold::recover
