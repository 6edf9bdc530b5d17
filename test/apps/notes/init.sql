-- Begins the notes with one; a procedure shows that the delimiter may change.
CREATE TABLE notes (id INT AUTO_INCREMENT PRIMARY KEY, text VARCHAR(200) NOT NULL);
INSERT INTO notes (text) VALUES ('from; the "app" \'s file');
DELIMITER $$
CREATE PROCEDURE count_notes() BEGIN SELECT COUNT(*) AS n FROM notes; END$$
DELIMITER ;
