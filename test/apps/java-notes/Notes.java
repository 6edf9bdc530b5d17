import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.StringJoiner;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.util.Callback;

/** Answers with the notes in its database, a line each. */
public class Notes extends Handler.Abstract {
  public static void main(String[] args) throws Exception {
    Server server = new Server(Integer.parseInt(System.getenv("PORT")));
    server.setHandler(new Notes());
    server.setStopAtShutdown(true);
    server.start();
    System.out.println("listening on " + System.getenv("PORT"));
    server.join();
  }

  @Override
  public boolean handle(Request request, Response response, Callback callback) throws SQLException {
    byte[] body = notes().getBytes(StandardCharsets.UTF_8);
    System.out.println("asked for " + request.getHttpURI().getPath());
    response.write(true, ByteBuffer.wrap(body), callback);
    return true;
  }

  private static String notes() throws SQLException {
    String user = System.getenv("DB_USER");
    String password = System.getenv("DB_PASSWORD");
    StringJoiner lines = new StringJoiner("\n");
    try (Connection connection = DriverManager.getConnection(System.getenv("DB_URL"), user, password);
        ResultSet rows = connection.createStatement().executeQuery("SELECT text FROM notes ORDER BY id")) {
      while (rows.next()) lines.add(rows.getString(1));
    }
    return lines.toString();
  }
}
