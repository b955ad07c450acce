#include "features/gateway/queue/queue_settings.h"

namespace mailhold::queue {
namespace {

Error wrong(const std::string& key, const std::string& should) { return {ErrorKind::invalid_input, key + " must be " + should}; }

Result<std::int64_t> number_of(const Settings& settings, const std::string& key, std::int64_t least, std::int64_t most) {
  const std::int64_t value = settings.number(key);
  if (value < least || value > most) return wrong(key, "between " + std::to_string(least) + " and " + std::to_string(most));
  return value;
}

}  // namespace

Result<QueueSettings> queue_settings(const Settings& settings) {
  QueueSettings queue;
  queue.region = settings.text("mailhold.region");
  queue.our_name = settings.text("mailhold.hostname");
  ASSIGN_OR_RETURN(const std::int64_t first, number_of(settings, "queue.retry_seconds_first", 1, 86'400));
  ASSIGN_OR_RETURN(const std::int64_t longest, number_of(settings, "queue.retry_seconds_max", first, 86'400));
  ASSIGN_OR_RETURN(const std::int64_t life, number_of(settings, "queue.life_seconds", 1, 30 * 86'400));
  ASSIGN_OR_RETURN(const std::int64_t late, number_of(settings, "queue.delay_notice_seconds", 0, 30 * 86'400));
  queue.schedule = {first * 1000, longest * 1000, life * 1000, late * 1000};
  ASSIGN_OR_RETURN(const std::int64_t threads, number_of(settings, "queue.delivery_threads", 1, 1000));
  ASSIGN_OR_RETURN(const std::int64_t messages, number_of(settings, "queue.session_messages", 1, 10'000));
  ASSIGN_OR_RETURN(const std::int64_t session, number_of(settings, "queue.session_seconds", 1, 3600));
  ASSIGN_OR_RETURN(const std::int64_t rest, number_of(settings, "queue.rest_seconds", 0, 3600));
  ASSIGN_OR_RETURN(const std::int64_t items, number_of(settings, "queue.active_items_max", 1, 10'000'000));
  ASSIGN_OR_RETURN(const std::int64_t bytes, number_of(settings, "queue.active_bytes_max", 1, std::int64_t{1} << 40));
  queue.delivery.threads_max = static_cast<int>(threads);
  queue.delivery.messages_per_session = static_cast<int>(messages);
  queue.delivery.session_life = std::chrono::seconds(session);
  queue.delivery.rest = std::chrono::seconds(rest);
  queue.delivery.active_items_max = static_cast<std::size_t>(items);
  queue.delivery.active_bytes_max = static_cast<std::size_t>(bytes);
  const std::string& notices = settings.text("queue.notices");
  if (notices != "mx" && notices != "route") return wrong("queue.notices", "mx or route");
  queue.notices = notices == "mx" ? NoticesGo::by_mx : NoticesGo::by_tenant_route;
  ASSIGN_OR_RETURN(const std::int64_t held_days, number_of(settings, "held.days", 1, 3650));
  queue.held_life = held_days * 86'400'000;
  return queue;
}

Result<outbound::OutboundSettings> outbound_settings(const Settings& settings) {
  outbound::OutboundSettings outbound;
  outbound.our_name = settings.text("mailhold.hostname");
  ASSIGN_OR_RETURN(outbound.allowed_networks, net::Networks::parse(settings.text("outbound.allowed_networks")));
  outbound.ca_file = settings.text("outbound.ca_file");
  outbound.mx_tls_required = settings.flag("outbound.mx_tls_required");
  ASSIGN_OR_RETURN(const std::int64_t port, number_of(settings, "outbound.mx_port", 1, 65'535));
  outbound.mx_port = static_cast<std::uint16_t>(port);
  ASSIGN_OR_RETURN(const std::int64_t connect, number_of(settings, "outbound.connect_seconds", 1, 600));
  outbound.connect_time = std::chrono::seconds(connect);
  return outbound;
}

}  // namespace mailhold::queue
