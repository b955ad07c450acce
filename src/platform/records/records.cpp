#include "platform/records/records.h"

namespace mailhold::records {

std::int64_t Value::number() const {
  const auto* number = std::get_if<std::int64_t>(&value_);
  return number != nullptr ? *number : 0;
}

const std::string& Value::text() const {
  static const std::string empty;
  const auto* text = std::get_if<std::string>(&value_);
  return text != nullptr ? *text : empty;
}

const std::string& Value::bytes() const {
  static const std::string empty;
  const auto* bytes = std::get_if<Bytes>(&value_);
  return bytes != nullptr ? bytes->bytes : empty;
}

Status Records::migrate(const Schema& schema, const Deadline& deadline) {
  return transaction(
      [&](Session& session) -> Status {
        RETURN_IF_ERROR(run_script(
            session, "CREATE TABLE IF NOT EXISTS schema_versions (room text PRIMARY KEY, version bigint NOT NULL)", deadline));
        ASSIGN_OR_RETURN(const Rows rows,
                         session.query("SELECT version FROM schema_versions WHERE room = $1", {schema.room}, deadline));
        const auto version = rows.empty() ? std::size_t{0} : static_cast<std::size_t>(rows[0][0].number());
        if (version > schema.steps.size()) {
          return Error{ErrorKind::unsupported, "the tables of " + schema.room + " were made by a newer version"};
        }
        if (version == schema.steps.size()) return done();
        for (std::size_t step = version; step < schema.steps.size(); ++step) {
          RETURN_IF_ERROR(run_script(session, schema.steps[step], deadline));
        }
        ASSIGN_OR_RETURN([[maybe_unused]] const std::uint64_t changed,
                         session.execute("INSERT INTO schema_versions (room, version) VALUES ($1, $2) "
                                         "ON CONFLICT (room) DO UPDATE SET version = excluded.version",
                                         {schema.room, std::uint64_t{schema.steps.size()}}, deadline));
        return done();
      },
      deadline);
}

}  // namespace mailhold::records
