#include "core/store/inspection.h"

#include "core/store/new_objects.h"

namespace mailhold::store {
namespace {

bool passes(const Error& error) { return error.is_temporary() || error.kind == ErrorKind::cancelled; }

// Anything else is about this server: a limit that was lowered, or a form of a later version.
bool is_about_what_lies_there(const Error& error) {
  return error.kind == ErrorKind::corrupt || error.kind == ErrorKind::not_found;
}

}  // namespace

// Twice where it does not come back: it may have been moved, or its bundle written anew, between two questions.
Result<Inspected> Inspection::look_at(Id tenant, Id message) {
  if (deadline_.stop.stop_requested()) return Error{ErrorKind::cancelled, "asked to stop"};
  Result<Inspected> one = look_once(tenant, message);
  if (!one || one->soundness == Soundness::whole) return one;
  bundle_ = {};
  return look_once(tenant, message);
}

Result<Inspected> Inspection::look_once(Id tenant, Id message) {
  Inspected one{message};
  std::optional<Id> bad_part;
  std::set<Id> parts;
  const auto load_part = [&](Id part) {
    Result<std::string> bytes = shelf_.load_part(tenant, part, keys_, deadline_);
    if (!bytes) bad_part = part;
    return bytes;
  };
  const auto read = [&]() -> Status {
    ASSIGN_OR_RETURN(const std::string content,
                     shelf_.load_message(tenant, message, keys_, deadline_, {.is_of = is_of_, .bundle = &bundle_}));
    ASSIGN_OR_RETURN(Recipe recipe, parse_recipe(content));
    parts = parts_of(recipe);
    ASSIGN_OR_RETURN(const std::string bytes, assemble(recipe, message_bytes_max_, load_part));
    one.bytes = bytes.size();
    one.sha256 = std::move(recipe.sha256);
    return done();
  };
  const Status status = read();
  if (status) {
    if (is_of_ && !is_of_(message, one.sha256)) {
      one.soundness = Soundness::damaged;
      one.why = "it is another message than was kept";
    }
    return one;
  }
  if (passes(status.error())) return status.error();
  one.why = status.error().detail;
  if (!is_about_what_lies_there(status.error())) {
    one.soundness = Soundness::not_read_here;
    return one;
  }
  ASSIGN_OR_RETURN(one.soundness, why_not(tenant, message, bad_part));
  if (bad_part && one.soundness == Soundness::damaged) RETURN_IF_ERROR(look_at_parts(tenant, parts));
  return one;
}

// Reading ended with the first one that is damaged.
Status Inspection::look_at_parts(Id tenant, const std::set<Id>& parts) {
  for (const Id& part : parts) {
    const Result<std::string> bytes = shelf_.load_part(tenant, part, keys_, deadline_);
    if (bytes || !is_about_what_lies_there(bytes.error())) continue;
    ASSIGN_OR_RETURN(const Soundness soundness, shelf_.judge_part(tenant, part, keys_, deadline_));
    if (soundness == Soundness::damaged && known_damaged_.insert(part).second) damaged_parts_.push_back(part);
  }
  return done();
}

// Of the message's own object, or of the part that does not open.
Result<Soundness> Inspection::why_not(Id tenant, Id message, std::optional<Id> part) {
  return part ? shelf_.judge_part(tenant, *part, keys_, deadline_) : shelf_.judge_message(tenant, message, keys_, deadline_);
}

}  // namespace mailhold::store
