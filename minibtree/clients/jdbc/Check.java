import java.io.IOException;
import java.io.StringReader;
import java.io.StringWriter;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.sql.Types;
import java.util.Arrays;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;

/** JDBC: text first, binary after five executions, batches, portals fetched in portions. */
public class Check {
    private static void check(String name, boolean holds) {
        if (!holds) throw new AssertionError(name);
    }

    private static long count(Statement statement) throws SQLException {
        try (ResultSet rows = statement.executeQuery("select count(*) from jdbc")) {
            rows.next();
            return rows.getLong(1);
        }
    }

    public static void main(String[] arguments) throws SQLException, IOException {
        String url = "jdbc:postgresql://127.0.0.1:" + System.getenv("PGPORT") + "/postgres";
        String password = System.getenv("PGPASSWORD");
        try (Connection connection = DriverManager.getConnection(url, "postgres", password);
                Statement statement = connection.createStatement()) {
            check("valid", connection.isValid(5));
            statement.execute("drop table if exists jdbc, jdbc_long");
            statement.execute(
                    "create table jdbc "
                            + "(i int primary key, b bool, l int8, s varchar(20), m timestamp)");
            values(connection);
            longValues(connection);
            batch(connection);
            check("count", count(statement) == 102);
            portions(connection);
            copy(connection);

            connection.setAutoCommit(false);
            statement.executeUpdate("delete from jdbc");
            connection.rollback();
            connection.setAutoCommit(true);
            check("rollback", count(statement) == 102);
            try {
                statement.executeUpdate("insert into jdbc (i) values (1)");
                throw new AssertionError("a key twice");
            } catch (SQLException error) {
                check("a key twice", error.getSQLState().equals("23505"));
            }
            statement.execute("drop table jdbc");
        }
    }

    private static void values(Connection connection) throws SQLException {
        Timestamp moment = Timestamp.valueOf("2026-11-28 01:02:03.5");
        String insert = "insert into jdbc values (?, ?, ?, ?, ?)";
        try (PreparedStatement statement = connection.prepareStatement(insert)) {
            statement.setInt(1, 1);
            statement.setBoolean(2, true);
            statement.setLong(3, 9_000_000_000L);
            statement.setString(4, "x'y\\z");
            statement.setTimestamp(5, moment);
            check("insert", statement.executeUpdate() == 1);
            statement.setInt(1, 2);
            statement.setNull(4, Types.VARCHAR);
            check("insert", statement.executeUpdate() == 1);
        }
        // The fifth execution prepares the statement, and asks for binary results from then on.
        String select = "select b, l, s, m from jdbc where i = ?";
        try (PreparedStatement statement = connection.prepareStatement(select)) {
            for (int execution = 0; execution < 8; execution++) {
                statement.setInt(1, 1);
                try (ResultSet rows = statement.executeQuery()) {
                    check("one row", rows.next());
                    check("bool", rows.getBoolean(1));
                    check("int8", rows.getLong(2) == 9_000_000_000L);
                    check("text", rows.getString(3).equals("x'y\\z"));
                    check("timestamp", rows.getTimestamp(4).equals(moment));
                    check("no more", !rows.next());
                }
            }
            statement.setInt(1, 2);
            try (ResultSet rows = statement.executeQuery()) {
                check("null", rows.next() && rows.getString(3) == null && rows.wasNull());
            }
        }
        String among = "select count(*) from jdbc where i = any(?) and s <> all(?)";
        try (PreparedStatement statement = connection.prepareStatement(among)) {
            for (Integer[] array : new Integer[][] {{}, {1}, {2, 1, 3}, {1}, {1}, {1, null}}) {
                statement.setArray(1, connection.createArrayOf("int4", array));
                statement.setArray(2, connection.createArrayOf("varchar", new String[] {"a,b", ""}));
                try (ResultSet rows = statement.executeQuery()) {
                    check("array", rows.next() && rows.getInt(1) == Math.min(array.length, 1));
                }
            }
        }
    }

    private static void longValues(Connection connection) throws SQLException {
        String text = "line\n".repeat(200_000);
        byte[] bytes = new byte[20_000_000];
        Arrays.fill(bytes, (byte) 7);
        try (Statement statement = connection.createStatement()) {
            statement.execute("create table jdbc_long (s text, b bytea)");
            String insert = "insert into jdbc_long values (?, ?)";
            try (PreparedStatement inserted = connection.prepareStatement(insert)) {
                inserted.setString(1, text);
                inserted.setBytes(2, bytes);
                check("insert", inserted.executeUpdate() == 1);
            }
            try (ResultSet rows = statement.executeQuery("select s, b from jdbc_long")) {
                check("one row", rows.next());
                check("long text", rows.getString(1).equals(text));
                check("long bytes", Arrays.equals(rows.getBytes(2), bytes));
            }
            statement.execute("drop table jdbc_long");
        }
    }

    private static void batch(Connection connection) throws SQLException {
        String insert = "insert into jdbc (i) values (?)";
        try (PreparedStatement statement = connection.prepareStatement(insert)) {
            for (int number = 100; number < 200; number++) {
                statement.setInt(1, number);
                statement.addBatch();
            }
            check("batch", statement.executeBatch().length == 100);
        }
    }

    private static void portions(Connection connection) throws SQLException {
        connection.setAutoCommit(false);
        try (Statement statement = connection.createStatement()) {
            statement.setFetchSize(10);
            int seen = 0;
            try (ResultSet rows = statement.executeQuery("select i from jdbc")) {
                check("table", rows.getMetaData().getTableName(1).equals("jdbc"));
                while (rows.next()) seen++;
            }
            check("portions", seen == 102);
        }
        connection.commit();
        connection.setAutoCommit(true);
    }

    private static void copy(Connection connection) throws SQLException, IOException {
        CopyManager manager = connection.unwrap(PGConnection.class).getCopyAPI();
        String data = "i,s\n300,\"a \"\"b\"\",\nc\"\n301,\n302,\"\"\n";
        String in = "copy jdbc (i, s) from stdin with (format csv, header match)";
        check("copy in", manager.copyIn(in, new StringReader(data)) == 3);

        StringWriter copied = new StringWriter();
        String rows = "delete from jdbc where i >= 300 returning i, s";
        String out = "copy (" + rows + ") to stdout with (format csv, header)";
        check("copy out", manager.copyOut(out, copied) == 3 && copied.toString().equals(data));
    }
}
