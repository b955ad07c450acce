#include "platform/records/records_contract.h"

#include <atomic>
#include <thread>

namespace mailhold::records {

TEST_P(RecordsContract, gives_back_every_type_of_value) {
  const std::string odd("\0\xff'\";--\n", 8);
  ASSERT_EQ(*add(*records, odd, "größer", std::int64_t{-9'000'000'000'000}), 1U);
  ASSERT_EQ(*add(*records, "", "", Value()), 1U);
  const Rows rows = *records->query("SELECT id, name, price FROM items ORDER BY id", {}, soon);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0], (Values{Value::bytes_of(""), "", Value()}));
  EXPECT_EQ(rows[1], (Values{Value::bytes_of(odd), "größer", std::int64_t{-9'000'000'000'000}}));
}

TEST_P(RecordsContract, a_parameter_may_stand_twice_and_in_any_order) {
  ASSERT_TRUE(add(*records, "a", "one", 1));
  EXPECT_EQ(records->query("SELECT name FROM items WHERE price < $2 AND id = $1 AND price <> $2", {Value::bytes_of("a"), 5}, soon)
                ->size(),
            1U);
}

TEST_P(RecordsContract, says_already_exists_for_a_taken_key) {
  ASSERT_TRUE(add(*records, "a", "one", 1));
  EXPECT_EQ(add(*records, "a", "two", 1).error().kind, ErrorKind::already_exists);
  EXPECT_EQ(add(*records, "b", "one", 1).error().kind, ErrorKind::already_exists);
  EXPECT_EQ(count(), 1);
}

TEST_P(RecordsContract, says_invalid_input_for_other_constraints) {
  ASSERT_TRUE(records->migrate({"parts", {"CREATE TABLE parts (item bytea NOT NULL REFERENCES items (id))"}}, soon));
  EXPECT_EQ(records->execute("INSERT INTO parts (item) VALUES ($1)", {Value::bytes_of("nobody")}, soon).error().kind,
            ErrorKind::invalid_input);
  EXPECT_EQ(records->execute("INSERT INTO items (id, name) VALUES ($1, $2)", {Value::bytes_of("a"), Value()}, soon).error().kind,
            ErrorKind::invalid_input);
}

TEST_P(RecordsContract, says_bug_for_what_is_no_statement) {
  EXPECT_EQ(records->execute("SELEKT 1", {}, soon).error().kind, ErrorKind::bug);
  EXPECT_EQ(records->query("SELECT 1 FROM nowhere", {}, soon).error().kind, ErrorKind::bug);
}

TEST_P(RecordsContract, inserts_may_return_and_do_nothing_on_conflict) {
  const char* sql = "INSERT INTO items (id, name) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING name";
  EXPECT_EQ((*records->query(sql, {Value::bytes_of("a"), "one"}, soon))[0][0].text(), "one");
  EXPECT_TRUE(records->query(sql, {Value::bytes_of("a"), "one"}, soon)->empty());
}

TEST_P(RecordsContract, execute_counts_the_changed_rows) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(add(*records, std::to_string(i), std::to_string(i), i));
  EXPECT_EQ(*records->execute("UPDATE items SET price = 0 WHERE price >= $1", {2}, soon), 3U);
  EXPECT_EQ(*records->execute("DELETE FROM items WHERE price > $1", {100}, soon), 0U);
}

TEST_P(RecordsContract, a_batch_is_all_or_nothing) {
  const char* sql = "INSERT INTO items (id, name, price) VALUES ($1, $2, $3)";
  std::vector<Values> rows;
  for (int i = 0; i < 100; ++i)
    rows.push_back({Value::bytes_of(std::to_string(i)), std::to_string(i), i % 2 ? Value(i) : Value()});
  EXPECT_EQ(*records->execute_batch(sql, rows, soon), 100U);
  rows.clear();
  rows.push_back({Value::bytes_of("new"), "new", 1});
  rows.push_back({Value::bytes_of("1"), "taken", 1});
  EXPECT_EQ(records->execute_batch(sql, rows, soon).error().kind, ErrorKind::already_exists);
  EXPECT_EQ(count(), 100);
}

TEST_P(RecordsContract, a_transaction_is_undone_when_its_work_fails) {
  const Status outcome = records->transaction(
      [this](Session& session) -> Status {
        EXPECT_TRUE(add(session, "a", "one", 1));
        EXPECT_EQ((*session.query("SELECT count(*) FROM items", {}, soon))[0][0].number(), 1);
        return Error{ErrorKind::cancelled, "thought better of it"};
      },
      soon);
  EXPECT_EQ(outcome.error().kind, ErrorKind::cancelled);
  EXPECT_EQ(count(), 0);
}

TEST_P(RecordsContract, a_transaction_goes_wrong_as_a_whole_when_a_statement_does) {
  ASSERT_TRUE(add(*records, "a", "one", 1));
  const Status outcome = records->transaction(
      [this](Session& session) -> Status {
        RETURN_IF_ERROR(add(session, "b", "two", 1));
        RETURN_IF_ERROR(add(session, "a", "three", 1));
        return done();
      },
      soon);
  EXPECT_EQ(outcome.error().kind, ErrorKind::already_exists);
  EXPECT_EQ(count(), 1);
  EXPECT_TRUE(add(*records, "b", "two", 1));  // and the connection goes on working
}

TEST_P(RecordsContract, what_is_committed_is_there_when_opened_again) {
  ASSERT_TRUE(records->transaction(
      [this](Session& session) -> Status {
        RETURN_IF_ERROR(add(session, "a", "one", 1));
        return done();
      },
      soon));
  records.reset();
  records = *open(address, soon);
  EXPECT_EQ(count(), 1);
}

TEST_P(RecordsContract, transactions_that_count_together_lose_nothing) {
  ASSERT_TRUE(add(*records, "a", "one", 0));
  std::vector<std::thread> threads;
  std::atomic<int> failed = 0;
  const auto add_one = [this](Session& session) -> Status {
    ASSIGN_OR_RETURN(const Rows rows, session.query("SELECT price FROM items WHERE id = $1", {Value::bytes_of("a")}, soon));
    RETURN_IF_ERROR(session.execute("UPDATE items SET price = $1", {rows[0][0].number() + 1}, soon));
    return done();
  };
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 25; ++n) {
        Status outcome = records->transaction(add_one, soon);
        while (!outcome && outcome.error().kind == ErrorKind::unavailable) outcome = records->transaction(add_one, soon);
        failed += !outcome;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ((*records->query("SELECT price FROM items", {}, soon))[0][0].number(), 100);
}

TEST_P(RecordsContract, migrates_step_by_step_and_refuses_a_newer_schema) {
  const Schema first{"garden",
                     {"CREATE TABLE trees (id bigint PRIMARY KEY) /*clustered*/; CREATE INDEX trees_by_id ON trees (id)"}};
  Schema second = first;
  second.steps.push_back("ALTER TABLE trees ADD COLUMN height bigint");
  ASSERT_TRUE(records->migrate(first, soon));
  ASSERT_TRUE(records->migrate(first, soon));
  ASSERT_TRUE(records->migrate(second, soon));
  EXPECT_TRUE(records->execute("INSERT INTO trees (id, height) VALUES ($1, $2)", {1, 20}, soon));
  EXPECT_EQ(records->migrate(first, soon).error().kind, ErrorKind::unsupported);
  Schema broken = second;
  broken.steps.push_back("CREATE TABLE leaves (id bigint); CREATE NONSENSE");
  EXPECT_EQ(records->migrate(broken, soon).error().kind, ErrorKind::bug);
  EXPECT_EQ(records->query("SELECT 1 FROM leaves", {}, soon).error().kind, ErrorKind::bug);  // the whole step is undone
}

TEST_P(RecordsContract, a_slow_statement_is_given_up_at_the_deadline) {
  const auto begin = std::chrono::steady_clock::now();
  const Result<Rows> rows = records->query(
      "WITH RECURSIVE endless (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM endless WHERE n < 2000000000) SELECT count(*) FROM "
      "endless",
      {}, Deadline::after(std::chrono::milliseconds(100)));
  EXPECT_EQ(rows.error().kind, ErrorKind::timed_out);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  EXPECT_TRUE(add(*records, "a", "one", 1));
}

TEST_P(RecordsContract, forgetting_deleted_rows_works_at_any_time) {
  ASSERT_TRUE(add(*records, "a", "one", 1));
  ASSERT_TRUE(records->execute("DELETE FROM items", {}, soon));
  EXPECT_TRUE(records->forget_deleted(soon));
}

}  // namespace mailhold::records
