// QueueVerbs: what the command line and apid can ask of gatewayd out: queue.*, held.* and message.*. JSON in, JSON out.
// The verbs and their fields: docs/guide/queue.md, docs/guide/held.md.
//
// Any thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "features/gateway/queue/queue.h"

namespace boost::json {
class object;
}

namespace mailhold::queue {

class QueueVerbs {
 public:
  struct Tenants {
    std::function<std::optional<Id>(std::string_view name)> find;  // by the name the operator calls it
    std::function<std::vector<Id>()> all;
  };

  QueueVerbs(Queue& queue, Tenants tenants) : queue_(queue), tenants_(std::move(tenants)) {}

  // invalid_input: not such JSON, or a field is missing. not_found: no such verb, message, route or tenant.
  Result<std::string> answer(std::string_view json, const Deadline& deadline);

 private:
  using Object = boost::json::object;
  Result<Object> queue_verb(std::string_view verb, const Object& request, const Deadline& deadline);
  Result<Object> held_verb(std::string_view verb, const Object& request, const Deadline& deadline);
  Result<Object> message_verb(std::string_view verb, const Object& request, const Deadline& deadline);
  Result<Object> find(const Object& request, const Deadline& deadline);
  Result<Object> trace(const Object& request, const Deadline& deadline);
  Result<Object> show(const Object& request, const Deadline& deadline);
  Result<Id> tenant_of(const Object& request) const;  // none when the request names none
  // The tenants a message may belong to: the one named, or all.
  Result<std::vector<Id>> candidates(const Object& request) const;

  Queue& queue_;
  const Tenants tenants_;
};

}  // namespace mailhold::queue
