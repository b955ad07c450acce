#include "features/gateway/queue/day_verbs.h"

#include <boost/json.hpp>

namespace mailhold::queue {
namespace {

namespace json = boost::json;

constexpr std::uint32_t rows_in_a_step = 256;
constexpr std::uint32_t rows_in_a_call = 20'000;  // then the command line asks again

std::string text_of(const json::object& request, std::string_view name) {
  const json::value* found = request.if_contains(name);
  return found != nullptr && found->is_string() ? std::string(found->as_string()) : "";
}

}  // namespace

bool DayVerbs::knows(std::string_view verb) {
  return verb == "message.shred" || verb == "message.shred-day" || verb == "message.rewrap-day";
}

Result<std::string> DayVerbs::answer(std::string_view text, const Deadline& deadline) {
  boost::system::error_code problem;
  const json::value parsed = json::parse(text, problem);
  if (problem || !parsed.is_object()) return Error{ErrorKind::invalid_input, "not a JSON object"};
  const json::object& request = parsed.as_object();
  const std::string verb = text_of(request, "verb");
  ASSIGN_OR_RETURN(const Id tenant, Id::parse(text_of(request, "tenant")));
  if (verb == "message.shred") {
    ASSIGN_OR_RETURN(const Id message, Id::parse(text_of(request, "id")));
    RETURN_IF_ERROR(queue_.store().forget(tenant, message, deadline));
    return json::serialize(json::object{{"shredded", message.text()}});
  }
  const json::value* number = request.if_contains("day");
  if (number == nullptr || !number->is_int64() || number->as_int64() <= 0 || number->as_int64() > 0xffffffffLL)
    return Error{ErrorKind::invalid_input, "the request needs a day"};
  const auto day = static_cast<std::uint32_t>(number->as_int64());
  if (verb == "message.rewrap-day") return rewrap(tenant, day, deadline);
  // The key first: what is left after a crash in between opens nothing.
  const Status destroyed = keys_.destroy_day(tenant, day, deadline);
  if (!destroyed && destroyed.error().kind != ErrorKind::not_found) return destroyed.error();
  keys_.forget_leases();
  ASSIGN_OR_RETURN(const std::uint64_t wraps, queue_.store().expire_day(tenant, day, deadline));
  return json::serialize(json::object{{"shredded_day", day}, {"objects", wraps}});
}

Result<std::string> DayVerbs::rewrap(Id tenant, std::uint32_t day, const Deadline& deadline) {
  keys_.forget_leases();  // whoever keeps from now on keeps under the new version
  std::uint64_t rows = 0;
  bool more = true;
  while (more && rows < rows_in_a_call) {
    ASSIGN_OR_RETURN(const std::uint64_t step, queue_.store().rewrap_epoch(tenant, day, rows_in_a_step, deadline));
    rows += step;
    more = step > 0;
  }
  // Rows of the queue and held mail lie under the day's key themselves and are not rewrapped: they go within days.
  ASSIGN_OR_RETURN(const std::uint64_t waiting, queue_.rows_of_day(tenant, day, deadline));
  const bool ended = !more && waiting == 0;
  if (ended) RETURN_IF_ERROR(keys_.end_day_rotation(tenant, day, rows, deadline));
  return json::serialize(json::object{{"rewrapped", rows}, {"messages_waiting", waiting}, {"ended", ended}, {"more", more}});
}

}  // namespace mailhold::queue
