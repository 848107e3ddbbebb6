"""Operations on who a patient is: who has these traits or this number, and two records of one person."""
